import { defineResource } from '../../define-resource.ts';
import type { DaemonSet } from '../../generated/types/apps-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';

export const daemonSet = defineResource<DaemonSet>({
  group: 'apps',
  version: 'v1',
  kind: 'DaemonSet',
  plural: 'daemonsets',
  scope: 'Namespaced',
  shortNames: ['ds'],
  categories: ['all'],
  schemaName: 'io.k8s.api.apps.v1.DaemonSet',
  storageVersionHash: 'dd7pWHUlMKQ=',
  enforcement: 'stored',
  resetFields: ['status'],
  subresources: {
    status: statusSubresource('DaemonSet'),
  },
});
