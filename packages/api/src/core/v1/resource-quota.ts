import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { quotaWarnings, validateQuota, validateQuotaStatus, validateQuotaUpdate } from './validate-resource-quota.ts';
import { defineResource } from '../../define-resource.ts';
import type { ResourceQuota } from '../../generated/types/core-v1.ts';
import { specStrategy, statusStrategy, statusSubresource } from '../../spec-and-status.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

export const resourceQuota = defineResource<ResourceQuota>({
  group: '',
  version: 'v1',
  kind: 'ResourceQuota',
  plural: 'resourcequotas',
  scope: 'Namespaced',
  shortNames: ['quota'],
  schemaName: 'io.k8s.api.core.v1.ResourceQuota',
  storageVersionHash: '8uhSgffRX6w=',
  returnsDeletedObject: true,
  resetFields: ['status'],
  strategy: specStrategy<ResourceQuota>(
    {},
    {
      validateName: nameIsDNSSubdomain,
      validate: (quota, errors) => validateQuota(quota, errors),
      validateUpdate: validateQuotaUpdate,
      warnings: quotaWarnings,
    },
  ),
  table: defineTable([nameColumn, 'Request', 'Limit', 'Age'], (q, nowMs) => {
    const names = Object.keys(q.status?.hard ?? {}).sort();
    const cells = (limits: boolean): string =>
      names
        .filter((name) => name.startsWith('limits.') === limits)
        .map((name) => `${name}: ${q.status?.used?.[name] ?? '0'}/${q.status?.hard?.[name] ?? '0'}`)
        .join(', ');
    return [nameOf(q), cells(false), cells(true), age(q, nowMs)];
  }),
  subresources: {
    status: statusSubresource(
      'ResourceQuota',
      statusStrategy({ validateUpdate: (quota, _old, errors) => validateQuotaStatus(quota, errors) }),
    ),
  },
});
