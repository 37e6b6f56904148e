import { defineResource } from '../../define-resource.ts';
import type { Pod } from '../../generated/types/core-v1.ts';
import { statusSubresource } from '../../spec-and-status.ts';
import { defaultPod } from './pod/default-pod.ts';
import { podEphemeralContainersStrategy, podResizeStrategy, podStatusStrategy, podStrategy } from './pod/strategy.ts';
import { podTable } from './pod/table.ts';

export const pod = defineResource<Pod>({
  group: '',
  version: 'v1',
  kind: 'Pod',
  plural: 'pods',
  scope: 'Namespaced',
  shortNames: ['po'],
  categories: ['all'],
  schemaName: 'io.k8s.api.core.v1.Pod',
  storageVersionHash: 'xPOwRZ+Yhw8=',
  returnsDeletedObject: true,
  resetFields: ['status'],
  defaults: defaultPod,
  strategy: podStrategy,
  selectableFields: {
    'spec.nodeName': (p) => p.spec?.nodeName ?? '',
    'spec.host': (p) => p.spec?.nodeName ?? '',
    'spec.restartPolicy': (p) => p.spec?.restartPolicy ?? '',
    'spec.schedulerName': (p) => p.spec?.schedulerName ?? '',
    'spec.serviceAccountName': (p) => p.spec?.serviceAccountName ?? '',
    'spec.hostNetwork': (p) => String(p.spec?.hostNetwork ?? false),
    'status.phase': (p) => p.status?.phase ?? '',
    'status.podIP': (p) => p.status?.podIPs?.[0]?.ip ?? '',
    // Accepted, but upstream never fills it in.
    'status.podIPs': () => '',
    'status.nominatedNodeName': (p) => p.status?.nominatedNodeName ?? '',
  },
  table: podTable,
  subresources: {
    attach: { kind: 'PodAttachOptions', verbs: ['create', 'get'] },
    binding: { kind: 'Binding', verbs: ['create'] },
    ephemeralcontainers: { kind: 'Pod', verbs: ['get', 'patch', 'update'], strategy: podEphemeralContainersStrategy },
    eviction: { kind: 'Eviction', group: 'policy', version: 'v1', verbs: ['create'] },
    exec: { kind: 'PodExecOptions', verbs: ['create', 'get'] },
    log: { kind: 'Pod', verbs: ['get'] },
    portforward: { kind: 'PodPortForwardOptions', verbs: ['create', 'get'] },
    proxy: { kind: 'PodProxyOptions', verbs: ['create', 'delete', 'get', 'patch', 'update'] },
    resize: { kind: 'Pod', verbs: ['get', 'patch', 'update'], strategy: podResizeStrategy },
    status: {
      ...statusSubresource('Pod', podStatusStrategy),
      resetFields: ['spec', 'metadata.deletionTimestamp', 'metadata.ownerReferences'],
    },
  },
});
