import type { FieldErrors } from '@skiff/apimachinery';

/** From lax to strict (Pod Security Standards). */
export const levels = ['privileged', 'baseline', 'restricted'] as const;
export type Level = (typeof levels)[number];

/** A level as of a minor version of Kubernetes 1.x; Infinity is `latest`. */
export interface LevelVersion {
  readonly level: Level;
  readonly minor: number;
}

export const modes = ['enforce', 'audit', 'warn'] as const;
export type Policy = Readonly<Record<(typeof modes)[number], LevelVersion>>;

const lax: LevelVersion = { level: 'privileged', minor: Infinity };
export const privilegedPolicy: Policy = { enforce: lax, audit: lax, warn: lax };

export const textOf = ({ level, minor }: LevelVersion): string => `${level}:${minor === Infinity ? 'latest' : `v1.${minor}`}`;
export const sameLevelVersion = (a: LevelVersion, b: LevelVersion): boolean => a.level === b.level && a.minor === b.minor;
export const isStricter = (a: Level, b: Level): boolean => levels.indexOf(a) > levels.indexOf(b);
export const checksNothing = (policy: Policy): boolean => modes.every((mode) => policy[mode].level === 'privileged');

const labelOf = (mode: string): string => `pod-security.kubernetes.io/${mode}`;

const levelOf = (text: string): Level | undefined => levels.find((l) => l === text);

function minorOf(text: string): number | undefined {
  if (text === 'latest') return Infinity;
  const match = /^v1\.(0|[1-9]\d{0,17})$/.exec(text);
  return match === null ? undefined : Number(match[1]);
}

/** A namespace's label that says nothing that can be understood. */
export interface BadLabel {
  readonly path: string;
  readonly value: string;
  readonly message: string;
}

export const reportBadLabels = (bad: readonly BadLabel[], errors: FieldErrors): void => {
  for (const { path, value, message } of bad) errors.invalid(path, value, message);
};

/**
 * What a namespace's labels ask for, over `defaults`. Labels that can't be understood ask for the strictest where it is enforced, and for
 * nothing where it is only told. `warn` follows a stricter `enforce`.
 */
export function policyOf(labels: Readonly<Record<string, string>> = {}, defaults: Policy): { policy: Policy; bad: readonly BadLabel[] } {
  const bad: BadLabel[] = [];
  const policy: Record<(typeof modes)[number], LevelVersion> = { ...defaults };
  const complain = (label: string, value: string, message: string): void => {
    bad.push({ path: `metadata.labels[${label}]`, value, message });
  };
  for (const mode of modes) {
    const [levelText, versionText] = [labels[labelOf(mode)], labels[labelOf(`${mode}-version`)]];
    let { level, minor } = policy[mode];
    if (levelText !== undefined) {
      const known = levelOf(levelText);
      if (known === undefined) complain(labelOf(mode), levelText, `must be one of ${levels.join(', ')}`);
      level = known ?? (mode === 'enforce' ? 'restricted' : 'privileged');
    }
    if (versionText !== undefined) {
      const known = minorOf(versionText);
      if (known === undefined) complain(labelOf(`${mode}-version`), versionText, 'must be "latest" or "v1.x"');
      minor = known ?? Infinity;
    }
    policy[mode] = { level, minor };
  }
  const enforced = levelOf(labels[labelOf('enforce')] ?? '');
  if (enforced !== undefined && labels[labelOf('warn')] === undefined && isStricter(policy.enforce.level, policy.warn.level)) {
    const ownVersion = labels[labelOf('warn-version')] !== undefined;
    policy.warn = { level: policy.enforce.level, minor: ownVersion ? policy.warn.minor : policy.enforce.minor };
  }
  return { policy, bad };
}

/** The modes that a namespace's own labels make stricter than nothing, as they are told to who labels an exempt namespace. */
export const labelledModes = (policy: Policy, labels: Readonly<Record<string, string>> = {}): string =>
  modes
    .filter((mode) => policy[mode].level !== 'privileged' && (labelOf(mode) in labels || labelOf(`${mode}-version`) in labels))
    .map((mode) => `${mode}=${textOf(policy[mode])}`)
    .join(', ');
