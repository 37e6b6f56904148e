import { defineResource } from '../../define-resource.ts';
import type { PriorityClass } from '../../generated/types/scheduling-v1.ts';
import { setGeneration } from '../../spec-and-status.ts';

export const priorityClass = defineResource<PriorityClass>({
  group: 'scheduling.k8s.io',
  version: 'v1',
  kind: 'PriorityClass',
  plural: 'priorityclasses',
  scope: 'Cluster',
  shortNames: ['pc'],
  schemaName: 'io.k8s.api.scheduling.v1.PriorityClass',
  storageVersionHash: '1QwjyaZjj3Y=',
  defaults(priorityClass) {
    priorityClass.preemptionPolicy ??= 'PreemptLowerPriority';
  },
  strategy: { prepareForCreate: (draft) => setGeneration(draft, 1) },
});
