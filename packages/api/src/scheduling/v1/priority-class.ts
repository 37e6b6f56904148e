import { nameIsDNSSubdomain } from '@skiff/apimachinery';
import { validatePriorityClass, validatePriorityClassUpdate } from './validate.ts';
import { defineResource } from '../../define-resource.ts';
import type { PriorityClass } from '../../generated/types/scheduling-v1.ts';
import { setGeneration } from '../../spec-and-status.ts';
import { age, boolean, defineTable, integer, nameColumn, nameOf } from '../../table.ts';

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
  strategy: {
    validateName: nameIsDNSSubdomain,
    prepareForCreate: (draft) => setGeneration(draft, 1),
    validate: (c, errors) => validatePriorityClass(c, errors),
    validateUpdate: validatePriorityClassUpdate,
  },
  table: defineTable([nameColumn, integer('Value'), boolean('Global-Default'), 'Age', 'PreemptionPolicy'], (p, nowMs) => [
    nameOf(p),
    p.value ?? 0,
    p.globalDefault ?? false,
    age(p, nowMs),
    p.preemptionPolicy ?? '',
  ]),
});
