import {
  type DeepReadonly,
  type FieldErrors,
  isDNS1123Label,
  labelSelectorHasInvalidLabelValue,
  labelSelectorMatcher,
  type LabelSelector,
  validateLabelSelector,
} from '@skiff/apimachinery';
import { validatePodTemplate } from '../../core/v1/pod-template-validation.ts';
import type { Job, JobSpec } from '../../generated/types/batch-v1.ts';
import type { Container, PodSpec, PodTemplateSpec } from '../../generated/types/core-v1.ts';
import { goValue, shownSelector } from '../../go-value.ts';
import { deepEqual, semanticEqual } from '../../semantic-equality.ts';
import { sortedMap } from '../../sorted-map.ts';
import { domainPrefixedPath, immutable, keyPath, nonNegative } from '../../validation.ts';
import { legacyLabels, prefixedLabels } from './job-selector.ts';
import { validatePodFailurePolicy, validateSuccessPolicy } from './validate-job-policies.ts';

type Spec = DeepReadonly<JobSpec>;
type Template = DeepReadonly<PodTemplateSpec>;

const max = { parallelism: 100_000, failedIndexes: 100_000, managedBy: 63 };
/** With more completions than this, the other numbers have to stay lower. */
const manyCompletions = 100_000;
const limitForMany = 10_000;

/** Whether the selector matches the labels; undefined when it is broken. */
function matches(selector: DeepReadonly<LabelSelector>, labels: Readonly<Record<string, string>>): boolean | undefined {
  try {
    return labelSelectorMatcher(selector).matches(labels);
  } catch {
    return undefined;
  }
}

function validateGeneratedSelector(job: DeepReadonly<Job>, withPrefixed: boolean, errors: FieldErrors): void {
  const { spec } = job;
  if (spec === undefined || spec.manualSelector || !spec.selector) return;
  const labels = spec.template.metadata?.labels ?? {};
  const { uid = '', name = '' } = job.metadata ?? {};
  const expected: Record<string, string> = {};
  for (const names of withPrefixed ? [legacyLabels, prefixedLabels] : [legacyLabels]) {
    for (const [label, value] of [
      [names.uid, uid],
      [names.name, name],
    ] as const) {
      const at = keyPath('spec.template.metadata.labels', label);
      if (labels[label] === undefined) errors.required(at, `must be '${value}'`);
      else if (labels[label] !== value) errors.invalid(at, sortedMap(labels), `must be '${value}'`);
      expected[label] = value;
    }
  }
  if (matches(spec.selector, expected) === false)
    errors.invalid('spec.selector', shownSelector(spec.selector), '`selector` not auto-generated');
}

export function validateJob(job: DeepReadonly<Job>, errors: FieldErrors, old?: DeepReadonly<Job>): void {
  const spec = job.spec;
  if (spec === undefined) return;
  const before = old?.spec?.template.metadata?.labels ?? {};
  const hadPrefixed = before[prefixedLabels.uid] !== undefined && before[prefixedLabels.name] !== undefined;
  validateGeneratedSelector(job, old === undefined || hadPrefixed, errors);
  validateJobSpec(spec, 'spec', errors, old?.spec);
  const labels = spec.template.metadata?.labels;
  const mismatch = (): void =>
    errors.invalid('spec.template.metadata.labels', sortedMap(labels), '`selector` does not match template `labels`');
  if (!spec.selector) {
    errors.required('spec.selector');
    mismatch();
  } else {
    validateLabelSelector(spec.selector, 'spec.selector', errors, {
      allowInvalidLabelValueInSelector: labelSelectorHasInvalidLabelValue(old?.spec?.selector),
    });
    if (matches(spec.selector, labels ?? {}) === false) mismatch();
  }
  const completions = spec.completions ?? 0;
  if (spec.completionMode !== 'Indexed' || completions <= 0) return;
  const name = job.metadata?.name ?? '';
  const last = `${name}-${completions - 1}`;
  if (isDNS1123Label(last).length > 0) {
    errors.invalid('metadata.name', name, `will not able to create pod with invalid DNS label: ${last}`);
  }
}

/** Also that of a CronJob's template, which has no selector yet. */
export function validateJobSpec(spec: Spec, path: string, errors: FieldErrors, old?: Spec): void {
  const counts = [
    'parallelism',
    'completions',
    'activeDeadlineSeconds',
    'backoffLimit',
    'ttlSecondsAfterFinished',
    'backoffLimitPerIndex',
  ] as const;
  for (const field of counts) nonNegative(errors, `${path}.${field}`, spec[field]);
  if (spec.maxFailedIndexes !== undefined) {
    nonNegative(errors, `${path}.maxFailedIndexes`, spec.maxFailedIndexes);
    if (spec.backoffLimitPerIndex === undefined) errors.required(`${path}.backoffLimitPerIndex`, 'when maxFailedIndexes is specified');
  }
  if (spec.managedBy !== undefined) {
    domainPrefixedPath(errors, `${path}.managedBy`, spec.managedBy);
    if (spec.managedBy.length > max.managedBy) errors.tooLong(`${path}.managedBy`, max.managedBy);
  }
  validateCompletionMode(spec, path, errors);
  if (spec.podFailurePolicy) validatePodFailurePolicy(spec, `${path}.podFailurePolicy.rules`, errors);
  if (spec.successPolicy) {
    if (spec.completionMode === 'Indexed') validateSuccessPolicy(spec, `${path}.successPolicy.rules`, errors);
    else {
      const shown = goValue('io.k8s.api.batch.v1.SuccessPolicy', spec.successPolicy);
      errors.invalid(`${path}.successPolicy`, shown, 'requires indexed completion mode');
    }
  }
  const replacements = spec.podFailurePolicy ? ['Failed'] : ['Failed', 'TerminatingOrFailed'];
  const replacement = spec.podReplacementPolicy;
  if (replacement !== undefined && !replacements.includes(replacement)) {
    errors.notSupported(`${path}.podReplacementPolicy`, replacement, replacements);
  }
  validatePodTemplate(spec.template, `${path}.template`, errors, old?.template);
  validateRestartPolicy(spec, `${path}.template.spec.restartPolicy`, errors);
}

function validateRestartPolicy(spec: Spec, path: string, errors: FieldErrors): void {
  const policy = spec.template.spec?.restartPolicy ?? '';
  if (policy === '' || policy === 'Always') errors.required(path, 'valid values: "OnFailure", "Never"');
  else if (policy !== 'OnFailure' && policy !== 'Never') errors.notSupported(path, policy, ['OnFailure', 'Never']);
  else if (spec.podFailurePolicy && policy !== 'Never') {
    errors.invalid(path, policy, 'only "Never" is supported when podFailurePolicy is specified');
  }
}

function validateCompletionMode(spec: Spec, path: string, errors: FieldErrors): void {
  const { completionMode: mode, completions, parallelism, maxFailedIndexes, backoffLimitPerIndex } = spec;
  if (mode !== undefined && mode !== 'NonIndexed' && mode !== 'Indexed') {
    errors.notSupported(`${path}.completionMode`, mode, ['NonIndexed', 'Indexed']);
  }
  if (mode === undefined || mode === 'NonIndexed') {
    const only = 'requires indexed completion mode';
    if (backoffLimitPerIndex !== undefined) errors.invalid(`${path}.backoffLimitPerIndex`, backoffLimitPerIndex, only);
    if (maxFailedIndexes !== undefined) errors.invalid(`${path}.maxFailedIndexes`, maxFailedIndexes, only);
    return;
  }
  if (mode !== 'Indexed') return;
  const limit = (field: 'parallelism' | 'maxFailedIndexes', most: number, when = ''): void => {
    const value = spec[field];
    if (value !== undefined && value > most) errors.invalid(`${path}.${field}`, value, `must be less than or equal to ${most}${when}`);
  };
  if (completions === undefined) errors.required(`${path}.completions`, 'when completion mode is Indexed');
  limit('parallelism', max.parallelism, ' when completion mode is Indexed');
  if (completions !== undefined && (maxFailedIndexes ?? 0) > completions) {
    errors.invalid(`${path}.maxFailedIndexes`, maxFailedIndexes, 'must be less than or equal to completions');
  }
  limit('maxFailedIndexes', max.failedIndexes);
  if ((completions ?? 0) <= manyCompletions || backoffLimitPerIndex === undefined) return;
  if (maxFailedIndexes === undefined) {
    errors.required(`${path}.maxFailedIndexes`, `must be specified when completions is above ${manyCompletions}`);
  }
  const when = ` when completions are above ${manyCompletions} and used with backoff limit per index`;
  if (parallelism !== undefined) limit('parallelism', limitForMany, when);
  limit('maxFailedIndexes', limitForMany, when);
}

const structs = 'io.k8s.api.batch.v1.';

export function validateJobUpdate(job: DeepReadonly<Job>, old: DeepReadonly<Job>, errors: FieldErrors): void {
  validateJob(job, errors, old);
  const [spec, before] = [job.spec, old.spec];
  if (spec === undefined || before === undefined) return;
  if (spec.completionMode !== 'Indexed')
    immutable(errors, 'spec.completions', spec.completions, before.completions, spec.completions ?? null);
  else if (spec.completions !== before.completions && spec.completions !== undefined && spec.completions !== spec.parallelism) {
    errors.invalid('spec.completions', spec.completions, 'can only be modified in tandem with spec.parallelism');
  }
  immutable(errors, 'spec.selector', spec.selector, before.selector);
  validateTemplateUpdate(job, old, errors);
  const shown = (struct: string, value: object | undefined): unknown => (value === undefined ? null : goValue(structs + struct, value));
  immutable(errors, 'spec.completionMode', spec.completionMode, before.completionMode);
  immutable(
    errors,
    'spec.podFailurePolicy',
    spec.podFailurePolicy,
    before.podFailurePolicy,
    shown('PodFailurePolicy', spec.podFailurePolicy),
  );
  immutable(errors, 'spec.backoffLimitPerIndex', spec.backoffLimitPerIndex, before.backoffLimitPerIndex);
  immutable(errors, 'spec.managedBy', spec.managedBy, before.managedBy);
  immutable(errors, 'spec.successPolicy', spec.successPolicy, before.successPolicy, shown('SuccessPolicy', spec.successPolicy));
}

/** Where the Pods of a suspended Job go may still be decided, and how much each of them gets. */
function validateTemplateUpdate(job: DeepReadonly<Job>, old: DeepReadonly<Job>, errors: FieldErrors): void {
  const [template, before] = [job.spec?.template, old.spec?.template];
  if (template === undefined || before === undefined) return;
  const { startTime, conditions = [], active = 0 } = old.status ?? {};
  const stopped = startTime === undefined || conditions.some((c) => c.type === 'Suspended' && c.status === 'True');
  const mutable = old.spec?.suspend === true && stopped && active === 0;
  const kept = mutable ? withDirectivesOf(template, before) : before;
  if (!mutable) {
    if (semanticEqual('io.k8s.api.core.v1.PodTemplateSpec', template, kept)) return;
    errors.invalid('spec.template', goValue('io.k8s.api.core.v1.PodTemplateSpec', template), 'field is immutable');
    return;
  }
  const sized: DeepReadonly<PodSpec> = {
    containers: [],
    ...kept.spec,
    ...sizedAs(template.spec, kept.spec, 'containers'),
    ...sizedAs(template.spec, kept.spec, 'initContainers'),
  };
  if (semanticEqual('io.k8s.api.core.v1.PodSpec', template.spec, sized)) return;
  errors.invalid('spec.template.spec', goValue('io.k8s.api.core.v1.PodSpec', template.spec ?? {}), 'field is immutable');
}

function withDirectivesOf(template: Template, old: Template): Template {
  const spec = template.spec;
  const { nodeAffinity: _node, ...rest } = old.spec?.affinity ?? {};
  const nodeAffinity = spec?.affinity?.nodeAffinity;
  const merged = { ...rest, ...(nodeAffinity === undefined ? {} : { nodeAffinity }) };
  const affinity = spec?.affinity === undefined && deepEqual(merged, {}) ? undefined : merged;
  const taken = { nodeSelector: spec?.nodeSelector, tolerations: spec?.tolerations, schedulingGates: spec?.schedulingGates, affinity };
  return { ...old, metadata: template.metadata, spec: { containers: [], ...old.spec, ...taken } } as Template;
}

/** The old containers with the new resources, if they still are the same containers. */
function sizedAs(
  spec: DeepReadonly<PodSpec> | undefined,
  old: DeepReadonly<PodSpec> | undefined,
  field: 'containers' | 'initContainers',
): object {
  const [now, before]: (readonly DeepReadonly<Container>[] | undefined)[] = [spec?.[field], old?.[field]];
  if (now === undefined || before === undefined || now.length !== before.length) return {};
  return { [field]: before.map((c, i) => (now[i]?.name === c.name ? { ...c, resources: now[i]?.resources } : c)) };
}
