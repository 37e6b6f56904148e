import type { DeepReadonly } from '@skiff/apimachinery';
import type { MutatingAdmissionPolicyBinding, ValidatingAdmissionPolicyBinding } from '../../generated/types/admissionregistration-v1.ts';
import { age, defineTable, labelSelectorText, nameColumn, nameOf } from '../../table.ts';

type Binding = ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding;

function parameter(binding: DeepReadonly<Binding>): string {
  const ref = binding.spec?.paramRef;
  if (ref?.name) return `${ref.namespace || '*'}/${ref.name}`;
  return ref?.selector ? labelSelectorText(ref.selector) : '<unset>';
}

export const policyBindingTable = defineTable<Binding>([nameColumn, 'PolicyName', 'ParamRef', 'Age'], (binding, nowMs) => [
  nameOf(binding),
  binding.spec?.policyName ?? '',
  parameter(binding),
  age(binding, nowMs),
]);
