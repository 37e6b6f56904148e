import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { validateIngressClass, validateIngressClassUpdate } from './validate-addresses.ts';
import { defineResource } from '../../define-resource.ts';
import type { IngressClass } from '../../generated/types/networking-v1.ts';
import { specStrategy } from '../../spec-and-status.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

export const ingressClass = defineResource<IngressClass>({
  group: 'networking.k8s.io',
  version: 'v1',
  kind: 'IngressClass',
  plural: 'ingressclasses',
  scope: 'Cluster',
  schemaName: 'io.k8s.api.networking.v1.IngressClass',
  storageVersionHash: 'l/iqIbDgFyQ=',
  enforcement: 'stored',
  strategy: specStrategy<IngressClass>(
    { generation: { spec: 'io.k8s.api.networking.v1.IngressClassSpec' }, status: false },
    {
      validateName: nameIsDNSSubdomain,
      validate: (c, errors) => validateIngressClass(c, errors),
      validateUpdate: validateIngressClassUpdate,
    },
  ),
  defaults(ingressClass) {
    const parameters = ingressClass.spec?.parameters;
    if (parameters) parameters.scope ??= 'Cluster';
  },
  table: defineTable([nameColumn, 'Controller', 'Parameters', 'Age'], (c, nowMs) => {
    const isDefault = c.metadata?.annotations?.['ingressclass.kubernetes.io/is-default-class'] === 'true';
    const p = c.spec?.parameters;
    const parameters = p ? `${p.kind}${p.apiGroup === undefined ? '' : `.${p.apiGroup}`}/${p.name}` : '<none>';
    return [`${nameOf(c)}${isDefault ? ' (default)' : ''}`, c.spec?.controller ?? '', parameters, age(c, nowMs)];
  }),
});
