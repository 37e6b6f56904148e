import type { DeepReadonly, ObjectMeta } from '@skiff/apimachinery';
import { baselineChecks } from './baseline-checks.ts';
import type { Check, CheckPod, PodSpec, Violation } from './check.ts';
import type { LevelVersion } from './policy.ts';
import { restrictedChecks } from './restricted-checks.ts';

const asOf = (check: Check, minor: number): CheckPod | undefined => check.versions.findLast((v) => v.since <= minor)?.check;

function checksFor({ level, minor }: LevelVersion): CheckPod[] {
  if (level === 'privileged') return [];
  const strict = level === 'restricted' ? restrictedChecks.filter((c) => asOf(c, minor) !== undefined) : [];
  const overridden = new Set(strict.map((c) => c.overrides));
  return [...baselineChecks.filter((c) => !overridden.has(c.id)), ...strict].flatMap((c) => asOf(c, minor) ?? []);
}

/** What in the pod goes against the level; empty: nothing. */
export const violationsOf = (policy: LevelVersion, meta: DeepReadonly<ObjectMeta>, spec: PodSpec): Violation[] =>
  checksFor(policy).flatMap((check) => check(spec, meta) ?? []);

export const detailsOf = (violations: readonly Violation[]): string =>
  violations.map(({ reason, detail }) => (detail === '' ? reason : `${reason} (${detail})`)).join(', ');
export const reasonsOf = (violations: readonly Violation[]): string => violations.map((v) => v.reason).join(', ');
