import type { DeepReadonly, FieldErrors } from '@skiff/apimachinery';
import type {
  ExemptPriorityLevelConfiguration,
  LimitResponse,
  PriorityLevelConfiguration,
  PriorityLevelConfigurationSpec,
  QueuingConfiguration,
} from '../../generated/types/flowcontrol-v1.ts';
import { goValue } from '../../go-value.ts';
import { deepEqual } from '../../semantic-equality.ts';
import { mandatoryPriorityLevels } from './default-objects.ts';

type Spec = DeepReadonly<PriorityLevelConfigurationSpec>;

const maxQueues = 10_000_000;
/** Shuffle sharding draws queues by a hash; what it can't draw from so few bits is refused. */
const maxHashBits = 60;

function validatePercent(errors: FieldErrors, path: string, percent: number | undefined): void {
  if (percent !== undefined && (percent < 0 || percent > 100)) errors.invalid(path, percent, 'must be between 0 and 100, inclusive');
}

function validateShares(errors: FieldErrors, path: string, part: DeepReadonly<ExemptPriorityLevelConfiguration>): void {
  const shares = part.nominalConcurrencyShares ?? 0;
  if (shares < 0) errors.invalid(`${path}.nominalConcurrencyShares`, shares, 'must be a non-negative integer');
}

function validateQueuing(q: DeepReadonly<QueuingConfiguration>, path: string, errors: FieldErrors): void {
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = q;
  if (queueLengthLimit <= 0) errors.invalid(`${path}.queueLengthLimit`, queueLengthLimit, 'must be positive');
  if (queues <= 0) errors.invalid(`${path}.queues`, queues, 'must be positive');
  else if (queues > maxQueues) errors.invalid(`${path}.queues`, queues, `must not be greater than ${maxQueues}`);
  if (handSize <= 0) return errors.invalid(`${path}.handSize`, handSize, 'must be positive');
  if (handSize > queues) return errors.invalid(`${path}.handSize`, handSize, `should not be greater than queues (${queues})`);
  if (Math.ceil(Math.log2(queues) * handSize) <= maxHashBits) return;
  const complaint = `required entropy bits of deckSize ${queues} and handSize ${handSize} should not be greater than ${maxHashBits}`;
  errors.invalid(`${path}.handSize`, handSize, complaint);
}

function validateLimitResponse(response: DeepReadonly<LimitResponse> | undefined, path: string, errors: FieldErrors): void {
  const { type = '', queuing } = response ?? {};
  if (type === 'Reject') {
    if (queuing !== undefined) errors.forbidden(`${path}.queuing`, 'must be nil if limited.limitResponse.type is not Limited');
  } else if (type === 'Queue') {
    if (queuing === undefined) errors.required(`${path}.queuing`, 'must not be empty if limited.limitResponse.type is Limited');
    else validateQueuing(queuing, `${path}.queuing`, errors);
  } else errors.notSupported(`${path}.type`, type, ['Queue', 'Reject']);
}

function validateSpec(spec: Spec, name: string, errors: FieldErrors): void {
  const { type, exempt, limited } = spec;
  if ((name === 'exempt') !== (type === 'Exempt')) errors.invalid('spec.type', type, "must be 'Exempt' if and only if `name` is 'exempt'");
  if (type === 'Exempt') {
    if (limited !== undefined) errors.forbidden('spec.limited', 'must be nil if the type is not Limited');
    if (exempt === undefined) return;
    validateShares(errors, 'spec.exempt', exempt);
    validatePercent(errors, 'spec.exempt.lendablePercent', exempt.lendablePercent);
    return;
  }
  if (exempt !== undefined) errors.forbidden('spec.exempt', 'must be nil if the type is Limited');
  if (limited === undefined) return errors.required('spec.limited', 'must not be empty when type is Limited');
  validateShares(errors, 'spec.limited', { nominalConcurrencyShares: limited.nominalConcurrencyShares ?? 0 });
  validateLimitResponse(limited.limitResponse, 'spec.limited.limitResponse', errors);
  validatePercent(errors, 'spec.limited.lendablePercent', limited.lendablePercent);
  const borrowing = limited.borrowingLimitPercent;
  if (borrowing !== undefined && borrowing < 0)
    errors.invalid('spec.limited.borrowingLimitPercent', borrowing, 'if specified, must be a non-negative integer');
}

export function validatePriorityLevel(level: DeepReadonly<PriorityLevelConfiguration>, errors: FieldErrors): void {
  const name = level.metadata?.name ?? '';
  const spec: Spec = level.spec ?? { type: '' };
  if (spec.type !== 'Exempt' && spec.type !== 'Limited') {
    if (name === 'exempt') errors.invalid('spec.type', spec.type, "must be 'Exempt' if and only if `name` is 'exempt'");
    errors.notSupported('spec.type', spec.type, ['Exempt', 'Limited']);
  } else validateSpec(spec, name, errors);
  const mandatory = mandatoryPriorityLevels.find((m) => m.metadata?.name === name)?.spec;
  if (mandatory === undefined) return;
  const compared = name === 'exempt' ? { ...spec, exempt: mandatory.exempt } : spec;
  if (deepEqual(compared, mandatory)) return;
  const but = name === 'exempt' ? " except the 'spec.exempt' field" : '';
  const shown = goValue('io.k8s.api.flowcontrol.v1.PriorityLevelConfigurationSpec', spec);
  errors.invalid('spec', shown, `spec of '${name}'${but} must equal the fixed value`);
}

/** Conditions of both kinds: each type once, and none without. */
export function validateConditions(conditions: readonly { readonly type?: string }[] | undefined, errors: FieldErrors): void {
  const seen = new Set<string>();
  for (const [i, { type = '' }] of (conditions ?? []).entries()) {
    if (seen.has(type)) errors.duplicate(`status.conditions[${i}].type`, type);
    seen.add(type);
    if (type === '') errors.required(`status.conditions[${i}].type`);
  }
}
