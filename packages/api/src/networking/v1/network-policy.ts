import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { networkPolicyWarnings, validateNetworkPolicy } from './validate-network-policy.ts';
import { defineResource } from '../../define-resource.ts';
import type { NetworkPolicy } from '../../generated/types/networking-v1.ts';
import { specStrategy } from '../../spec-and-status.ts';
import { age, defineTable, formatLabelSelector, nameColumn, nameOf } from '../../table.ts';

export const networkPolicy = defineResource<NetworkPolicy>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'NetworkPolicy',
  plural: 'networkpolicies',
  scope: 'Namespaced',
  shortNames: ['netpol'],
  schemaName: 'io.k8s.api.networking.v1.NetworkPolicy',
  storageVersionHash: 'YpfwF18m1G8=',
  enforcement: 'stored',
  strategy: specStrategy<NetworkPolicy>(
    { generation: { spec: 'io.k8s.api.networking.v1.NetworkPolicySpec' }, status: false },
    {
      validateName: nameIsDNSSubdomain,
      validate: (policy, errors) => validateNetworkPolicy(policy, errors),
      validateUpdate: (policy, old, errors) => validateNetworkPolicy(policy, errors, old),
      warnings: networkPolicyWarnings,
    },
  ),
  defaults(policy) {
    const spec = policy.spec;
    if (spec === undefined) return;
    if ((spec.policyTypes ?? []).length === 0) spec.policyTypes = (spec.egress ?? []).length > 0 ? ['Ingress', 'Egress'] : ['Ingress'];
    for (const rule of [...(spec.ingress ?? []), ...(spec.egress ?? [])]) for (const port of rule.ports ?? []) port.protocol ??= 'TCP';
  },
  table: defineTable([nameColumn, 'Pod-Selector', 'Age'], (p, nowMs) => [
    nameOf(p),
    formatLabelSelector(p.spec?.podSelector ?? {}),
    age(p, nowMs),
  ]),
});
