import {
  type DeepReadonly,
  type FieldErrors,
  isDNS1035Label,
  isDNS1123Subdomain,
  isValidPortNum,
  type ResourceStrategy,
} from '@skiff/apimachinery';
import type { APIService } from '../../generated/types/apiregistration-v1.ts';
import { keepField, specStrategy, statusStrategy } from '../../spec-and-status.ts';
import { invalidEach, requireText } from '../../validation.ts';

const max = { groupPriorityMinimum: 20_000, versionPriority: 1000 };

function validate(service: DeepReadonly<APIService>, errors: FieldErrors): void {
  const { group = '', version = '', caBundle, insecureSkipTLSVerify: insecure, service: target } = service.spec ?? {};
  const [name, required] = [service.metadata?.name ?? '', `${version}.${group}`];
  if (name !== required) {
    errors.invalid('metadata.name', name, `must be \`spec.version+"."+spec.group\`: ${JSON.stringify(required)}`);
  }
  if (group === '' && version !== 'v1') errors.required('spec.group', 'only v1 may have an empty group and it better be legacy kube');
  if (group !== '') invalidEach(errors, 'spec.group', group, isDNS1123Subdomain(group));
  invalidEach(errors, 'spec.version', version, isDNS1035Label(version));
  for (const field of ['groupPriorityMinimum', 'versionPriority'] as const) {
    const value = service.spec?.[field] ?? 0;
    if (value <= 0 || value > max[field]) errors.invalid(`spec.${field}`, value, `must be positive and less than ${max[field]}`);
  }
  const bytes = Buffer.byteLength(caBundle ?? '', 'base64');
  if (!target) {
    if (bytes > 0) errors.invalid('spec.caBundle', `${bytes} bytes`, 'local APIServices may not have a caBundle');
    if (insecure) errors.invalid('spec.insecureSkipTLSVerify', insecure, 'local APIServices may not have insecureSkipTLSVerify');
    return;
  }
  requireText(errors, 'spec.service.namespace', target.namespace);
  requireText(errors, 'spec.service.name', target.name);
  const complaints = isValidPortNum(target.port ?? 0);
  if (complaints.length > 0) errors.invalid('spec.service.port', target.port ?? 0, `port is not valid: ${complaints.join(', ')}`);
  if (insecure && bytes > 0) errors.invalid('spec.insecureSkipTLSVerify', insecure, 'may not be true if caBundle is present');
}

export const apiServiceStrategy: ResourceStrategy<APIService> = specStrategy<APIService>(
  {},
  {
    /** What this server serves itself is there at once. */
    prepareForCreate(draft, { now }) {
      if (draft.spec?.service) return;
      const message = 'Local APIServices are always available';
      draft.status = { conditions: [{ type: 'Available', status: 'True', lastTransitionTime: now, reason: 'Local', message }] };
    },
    validate: (service, errors) => validate(service, errors),
    validateUpdate: (service, _old, errors) => validate(service, errors),
  },
);

function validateStatus(service: DeepReadonly<APIService>, errors: FieldErrors): void {
  const supported = ['False', 'True', 'Unknown'];
  for (const [i, { status }] of (service.status?.conditions ?? []).entries()) {
    if (!supported.includes(status)) errors.notSupported(`status.conditions[${i}].status`, status, supported);
  }
}

export const apiServiceStatusStrategy: ResourceStrategy<APIService> = statusStrategy<APIService>({
  prepareForUpdate(draft, old) {
    const meta = (draft.metadata ??= {});
    for (const field of ['labels', 'annotations', 'finalizers', 'ownerReferences']) keepField(meta, old.metadata ?? {}, field);
  },
  validateUpdate: (service, _old, errors) => validateStatus(service, errors),
});
