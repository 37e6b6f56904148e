import { priorityClass, type Pod, type PriorityClass } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { AdmissionRequest, ObjectAccess } from '../contract.ts';
import { type AdmissionPlugin, isFor } from './plugin.ts';
import { refuse } from './refuse.ts';

/** Pods get the number behind their PriorityClass; there is at most one default class. */
export const priority = (objects: ObjectAccess): AdmissionPlugin => {
  const defaultClass = (): DeepReadonly<PriorityClass> | undefined => {
    let lowest: DeepReadonly<PriorityClass> | undefined;
    for (const c of objects.list<PriorityClass>(priorityClass)) {
      if (c.globalDefault === true && (lowest === undefined || (c.value ?? 0) < (lowest.value ?? 0))) lowest = c;
    }
    return lowest;
  };
  const admitPod = (r: AdmissionRequest): void => {
    const spec = (r.object as unknown as Pod).spec;
    if (spec === undefined) return;
    if (r.operation === 'UPDATE') {
      const old = (r.oldObject as unknown as DeepReadonly<Pod> | null)?.spec;
      if (spec.priority === undefined && old?.priority !== undefined) spec.priority = old.priority;
      if (spec.preemptionPolicy === undefined && old?.preemptionPolicy !== undefined) spec.preemptionPolicy = old.preemptionPolicy;
      return;
    }
    const name = spec.priorityClassName ?? '';
    const found = name === '' ? defaultClass() : objects.get<PriorityClass>(priorityClass, '', name);
    if (name !== '' && found === undefined) throw refuse(r, `no PriorityClass with name ${name} was found`);
    if (name === '' && found?.metadata?.name !== undefined) spec.priorityClassName = found.metadata.name;
    const value = found?.value ?? 0;
    if (spec.priority !== undefined && spec.priority !== value) {
      throw refuse(
        r,
        `the integer value of priority (${spec.priority}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
      );
    }
    spec.priority = value;
    const policy = found === undefined ? 'PreemptLowerPriority' : found.preemptionPolicy;
    if (policy === undefined) return;
    if (spec.preemptionPolicy !== undefined && spec.preemptionPolicy !== policy) {
      throw refuse(
        r,
        `the string value of PreemptionPolicy (${spec.preemptionPolicy}) must not be provided in pod spec; priority admission controller computed ${policy} from the given PriorityClass name`,
      );
    }
    spec.preemptionPolicy = policy;
  };
  return {
    name: 'Priority',
    handles: (r) =>
      (r.operation === 'CREATE' || r.operation === 'UPDATE') && (isFor(r, '', 'pods') || isFor(r, 'scheduling.k8s.io', 'priorityclasses')),
    mutate: (r) => {
      if (r.definition.plural === 'pods') admitPod(r);
    },
    validate: (r) => {
      if (r.definition.plural !== 'priorityclasses') return;
      const wanted = r.object as unknown as PriorityClass;
      if (wanted.globalDefault !== true) return;
      const other = defaultClass()?.metadata?.name;
      if (other !== undefined && (r.operation === 'CREATE' || other !== wanted.metadata?.name)) {
        throw refuse(r, `PriorityClass ${other} is already marked as default. Only one default can exist`);
      }
    },
  };
};
