import { type Pod, runtimeClass, type RuntimeClass, type Toleration } from '@skiff/api';
import { canonicalQuantity, type DeepReadonly } from '@skiff/apimachinery';
import type { AdmissionRequest, ObjectAccess } from '../contract.ts';
import { type AdmissionPlugin, isFor } from './plugin.ts';
import { refuse } from './refuse.ts';

type Quantities = Readonly<Record<string, string>>;
type PodSpec = NonNullable<Pod['spec']>;

function sameQuantities(a: Quantities = {}, b: Quantities = {}): boolean {
  const names = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...names].every((n) => {
    const [x, y] = [a[n], b[n]];
    return x !== undefined && y !== undefined && canonicalQuantity(x) === canonicalQuantity(y);
  });
}

const tolerationFields = ['key', 'operator', 'value', 'effect', 'tolerationSeconds'] as const;
const sameToleration = (a: Toleration, b: Toleration): boolean => tolerationFields.every((f) => (a[f] ?? '') === (b[f] ?? ''));

/** Whether `wide` tolerates all that `narrow` does. */
export function covers(wide: Toleration, narrow: Toleration): boolean {
  if (sameToleration(wide, narrow)) return true;
  const exists = wide.operator === 'Exists';
  if ((wide.key ?? '') !== (narrow.key ?? '') && !((wide.key ?? '') === '' && exists)) return false;
  if ((wide.effect ?? '') !== '' && wide.effect !== narrow.effect) return false;
  if (wide.effect === 'NoExecute' && wide.tolerationSeconds !== undefined) {
    if (narrow.tolerationSeconds === undefined || narrow.tolerationSeconds > wide.tolerationSeconds) return false;
  }
  const equal = (t: Toleration): boolean => (t.operator ?? 'Equal') === 'Equal';
  return exists || (equal(wide) && equal(narrow) && (wide.value ?? '') === (narrow.value ?? ''));
}

/** Both lists without what others of them cover; of equal ones the first stays. */
export function mergeTolerations(first: readonly Toleration[], second: readonly Toleration[]): Toleration[] {
  const all = [...first, ...second];
  const merged: Toleration[] = [];
  for (const [i, t] of all.entries()) {
    if (merged.some((m) => covers(m, t))) continue;
    if (all.slice(i + 1).some((later) => !sameToleration(later, t) && covers(later, t))) continue;
    merged.push(t);
  }
  return merged;
}

/** A new pod gets the overhead, node selector and tolerations of its RuntimeClass, which has to be there (KEP-585, KEP-688). */
export const runtimeClassAdmission = (objects: ObjectAccess): AdmissionPlugin => {
  const classOf = async (r: AdmissionRequest, spec: PodSpec): Promise<DeepReadonly<RuntimeClass> | undefined> => {
    const name = spec.runtimeClassName;
    if (name === undefined) return undefined;
    const found = objects.get<RuntimeClass>(runtimeClass, '', name) ?? (await objects.read<RuntimeClass>(runtimeClass, '', name));
    if (found === undefined) throw refuse(r, `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`);
    return found;
  };
  const different = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";

  const setOverhead = (r: AdmissionRequest, spec: PodSpec, found: DeepReadonly<RuntimeClass>): void => {
    if (found.overhead === undefined) return;
    const wanted = found.overhead.podFixed ?? {};
    if (Object.keys(spec.overhead ?? {}).length > 0 && !sameQuantities(wanted, spec.overhead)) throw refuse(r, different);
    spec.overhead = { ...wanted };
  };
  const setScheduling = (r: AdmissionRequest, spec: PodSpec, found: DeepReadonly<RuntimeClass>): void => {
    const { scheduling } = found;
    if (scheduling === undefined) return;
    for (const [key, value] of Object.entries(scheduling.nodeSelector ?? {})) {
      const own = spec.nodeSelector?.[key];
      if (own !== undefined && own !== value) {
        throw refuse(r, `conflict: runtimeClass.scheduling.nodeSelector[${key}] = ${value}; pod.spec.nodeSelector[${key}] = ${own}`);
      }
    }
    if (scheduling.nodeSelector !== undefined) spec.nodeSelector = { ...spec.nodeSelector, ...scheduling.nodeSelector };
    if (scheduling.tolerations !== undefined) spec.tolerations = mergeTolerations(spec.tolerations ?? [], scheduling.tolerations);
  };

  return {
    name: 'RuntimeClass',
    handles: (r) => r.operation === 'CREATE' && isFor(r, '', 'pods'),
    mutate: async (r) => {
      const spec = (r.object as unknown as Pod).spec;
      const found = spec === undefined ? undefined : await classOf(r, spec);
      if (spec === undefined || found === undefined) return;
      setOverhead(r, spec, found);
      setScheduling(r, spec, found);
    },
    validate: async (r) => {
      const spec = (r.object as unknown as Pod).spec;
      if (spec === undefined) return;
      const wanted = (await classOf(r, spec))?.overhead;
      if (wanted !== undefined && !sameQuantities(wanted.podFixed, spec.overhead)) throw refuse(r, different);
      if (wanted === undefined && spec.overhead !== undefined) {
        throw refuse(r, 'pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead');
      }
    },
  };
};
