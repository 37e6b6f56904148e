import { isDeepStrictEqual } from 'node:util';
import { namespace, type Namespace, pod, type Pod, type PodTemplateSpec } from '@skiff/api';
import { type DeepReadonly, FieldErrors, internalError, invalid, type ObjectMeta } from '@skiff/apimachinery';
import type { AdmissionRequest, ObjectAccess } from '../../contract.ts';
import type { AdmissionPlugin } from '../plugin.ts';
import { refuse } from '../refuse.ts';
import type { PodSpec, Violation } from './check.ts';
import { detailsOf, violationsOf } from './evaluate.ts';
import { existingPodWarnings } from './existing-pods.ts';
import {
  checksNothing,
  isStricter,
  labelledModes,
  type LevelVersion,
  type Policy,
  policyOf,
  privilegedPolicy,
  reportBadLabels,
  sameLevelVersion,
  textOf,
} from './policy.ts';

export interface PodSecurityConfig {
  /** For namespaces without labels. */
  readonly defaults: Policy;
  readonly exemptUsers: readonly string[];
  readonly exemptNamespaces: readonly string[];
  readonly exemptRuntimeClasses: readonly string[];
}
export const standardPodSecurity: PodSecurityConfig = {
  defaults: privilegedPolicy,
  exemptUsers: [],
  exemptNamespaces: [],
  exemptRuntimeClasses: [],
};

interface CheckedPod {
  readonly metadata: DeepReadonly<ObjectMeta>;
  readonly spec: PodSpec;
}
interface Templated {
  readonly template?: DeepReadonly<PodTemplateSpec>;
  readonly spec?: { readonly template?: DeepReadonly<PodTemplateSpec>; readonly jobTemplate?: { readonly spec?: Templated['spec'] } };
}

const workloads: ReadonlySet<string> = new Set([
  '/replicationcontrollers',
  '/podtemplates',
  'apps/replicasets',
  'apps/deployments',
  'apps/statefulsets',
  'apps/daemonsets',
  'batch/jobs',
  'batch/cronjobs',
]);
const resourceOf = (r: AdmissionRequest): string => `${r.definition.group}/${r.definition.plural}`;

const checked = (o: DeepReadonly<Pod> | DeepReadonly<PodTemplateSpec> | undefined): CheckedPod | undefined =>
  o === undefined ? undefined : { metadata: o.metadata ?? {}, spec: o.spec ?? {} };

/** The pod that a workload will make: a PodTemplate's, a CronJob's or anybody else's. */
function templateOf(r: AdmissionRequest): CheckedPod | undefined {
  const o = r.object as unknown as Templated;
  if (r.definition.plural === 'podtemplates') return checked(o.template);
  return checked(r.definition.plural === 'cronjobs' ? o.spec?.jobTemplate?.spec?.template : o.spec?.template);
}

/** Does the update bring a container or image that was not there? Nothing else of what is checked can change. */
function bringsContainers(spec: PodSpec, old: PodSpec): boolean {
  const images = (list: readonly { readonly image?: string }[] = []): (string | undefined)[] => list.map((c) => c.image);
  const ephemeral = new Map((old.ephemeralContainers ?? []).map((c) => [c.name, c.image]));
  return (
    !isDeepStrictEqual(images(spec.containers), images(old.containers)) ||
    !isDeepStrictEqual(images(spec.initContainers), images(old.initContainers)) ||
    (spec.ephemeralContainers ?? []).some((c) => !ephemeral.has(c.name) || ephemeral.get(c.name) !== c.image)
  );
}

/** Subresources of pods that take no containers. */
const harmless: ReadonlySet<string> = new Set(['exec', 'attach', 'binding', 'eviction', 'log', 'portforward', 'proxy', 'status']);
const prefix = 'pod-security.kubernetes.io/';

/** Holds pods to the Pod Security Standards as the labels of their namespace ask for (KEP-2579). */
export const podSecurity = (objects: ObjectAccess, config: PodSecurityConfig = standardPodSecurity): AdmissionPlugin => {
  const warn = (r: AdmissionRequest, texts: readonly string[]): void => {
    for (const text of texts) if (!r.warnings.includes(text)) r.warnings.push(text);
  };
  const exemptionOf = (r: AdmissionRequest): string | undefined => {
    if (config.exemptNamespaces.includes(r.namespace)) return 'namespace';
    return config.exemptUsers.includes(r.user.name) ? 'user' : undefined;
  };
  const isExemptClass = (spec: PodSpec): boolean => config.exemptRuntimeClasses.includes(spec.runtimeClassName ?? '');

  const admitNamespace = (r: AdmissionRequest): void => {
    const wanted = r.object as unknown as Namespace;
    const name = wanted.metadata?.name ?? '';
    const labels = wanted.metadata?.labels;
    const { policy, bad } = policyOf(labels, config.defaults);
    const refuseBad = (): void => {
      const errors = new FieldErrors();
      reportBadLabels(bad, errors);
      if (!errors.empty) throw invalid({ group: '', kind: 'Namespace' }, name, errors.list);
    };
    if (r.operation === 'CREATE') return refuseBad();
    const old = policyOf((r.oldObject as unknown as DeepReadonly<Namespace> | null)?.metadata?.labels, config.defaults);
    if (!isDeepStrictEqual(bad, old.bad)) refuseBad();
    const [is, was] = [policy.enforce, old.policy.enforce];
    if (sameLevelVersion(is, was) || is.level === 'privileged') return;
    if (is.minor === was.minor && !isStricter(is.level, was.level)) return;
    if (config.exemptNamespaces.includes(name)) {
      if (checksNothing(policy)) return;
      warn(r, [
        `namespace ${JSON.stringify(name)} is exempt from Pod Security, and the policy (${labelledModes(policy, labels)}) will be ignored`,
      ]);
      return;
    }
    const pods = objects.list<Pod>(pod, name).filter((p) => p.metadata?.namespace === name && !isExemptClass(p.spec ?? {}));
    warn(r, existingPodWarnings(name, is, pods));
  };

  const policyFor = async (r: AdmissionRequest): Promise<Policy | undefined> => {
    const found = objects.get<Namespace>(namespace, '', r.namespace) ?? (await objects.read<Namespace>(namespace, '', r.namespace));
    if (found === undefined) return undefined;
    const { policy, bad } = policyOf(found.metadata?.labels, config.defaults);
    if (bad.length > 0) {
      const errors = new FieldErrors();
      reportBadLabels(bad, errors);
      r.audit?.annotate(`${prefix}error`, `Failed to parse policy: ${errors.list.map((e) => `${e.field}: ${e.body}`).join(', ')}`);
    }
    return policy;
  };

  const evaluate = (r: AdmissionRequest, policy: Policy, p: CheckedPod, enforced: boolean): void => {
    if (isExemptClass(p.spec)) return r.audit?.annotate(`${prefix}exempt`, 'runtimeClass');
    const memo = new Map<string, Violation[]>();
    const check = (lv: LevelVersion): Violation[] => {
      const found = memo.get(textOf(lv)) ?? violationsOf(lv, p.metadata, p.spec);
      memo.set(textOf(lv), found);
      return found;
    };
    const would = (lv: LevelVersion, violations: readonly Violation[]): string =>
      `would violate PodSecurity "${textOf(lv)}": ${detailsOf(violations)}`;
    if (r.audit !== undefined) {
      if (enforced) r.audit.annotate(`${prefix}enforce-policy`, textOf(policy.enforce));
      const audited = check(policy.audit);
      if (audited.length > 0) r.audit.annotate(`${prefix}audit-violations`, would(policy.audit, audited));
    }
    const violations = enforced ? check(policy.enforce) : [];
    if (violations.length > 0) throw refuse(r, `violates PodSecurity "${textOf(policy.enforce)}": ${detailsOf(violations)}`);
    const warned = check(policy.warn);
    if (warned.length > 0) warn(r, [would(policy.warn, warned)]);
  };

  const admitPod = async (r: AdmissionRequest): Promise<void> => {
    const exemption = exemptionOf(r);
    if (exemption !== undefined) return r.audit?.annotate(`${prefix}exempt`, exemption);
    const policy = await policyFor(r);
    if (policy === undefined) throw internalError(`failed to lookup namespace ${JSON.stringify(r.namespace)}`);
    if (checksNothing(policy)) return r.audit?.annotate(`${prefix}enforce-policy`, textOf(policy.enforce));
    const wanted = checked(r.object as unknown as Pod);
    const old = checked((r.oldObject as unknown as DeepReadonly<Pod> | null) ?? undefined);
    if (wanted === undefined || (r.operation === 'UPDATE' && old !== undefined && !bringsContainers(wanted.spec, old.spec))) return;
    evaluate(r, policy, wanted, true);
  };

  const admitWorkload = async (r: AdmissionRequest): Promise<void> => {
    const exemption = exemptionOf(r);
    if (exemption !== undefined) return r.audit?.annotate(`${prefix}exempt`, exemption);
    const policy = await policyFor(r);
    if (policy === undefined) return r.audit?.annotate(`${prefix}error`, `failed to lookup namespace ${JSON.stringify(r.namespace)}`);
    if (policy.warn.level === 'privileged' && policy.audit.level === 'privileged') return;
    const template = templateOf(r);
    if (template !== undefined) evaluate(r, policy, template, false);
  };

  return {
    name: 'PodSecurity',
    handles: (r) => {
      if (r.operation !== 'CREATE' && r.operation !== 'UPDATE') return false;
      if (resourceOf(r) === '/pods') return !harmless.has(r.subresource);
      return r.subresource === '' && (resourceOf(r) === '/namespaces' || workloads.has(resourceOf(r)));
    },
    validate: (r) => {
      if (resourceOf(r) === '/namespaces') return admitNamespace(r);
      return resourceOf(r) === '/pods' ? admitPod(r) : admitWorkload(r);
    },
  };
};
