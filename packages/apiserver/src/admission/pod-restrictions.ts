import { computePodQOSClass, isExtendedResource, namespace, type Namespace, type Pod, type Toleration } from '@skiff/api';
import { badRequest, type DeepReadonly, internalError } from '@skiff/apimachinery';
import type { AdmissionRequest, ObjectAccess } from '../contract.ts';
import { type AdmissionPlugin, isFor } from './plugin.ts';
import { refuse } from './refuse.ts';
import { covers, mergeTolerations } from './runtime-class.ts';

type Labels = Readonly<Record<string, string>>;
const podOf = (r: AdmissionRequest): Pod => r.object as unknown as Pod;

const namespaceOf = async (objects: ObjectAccess, r: AdmissionRequest): Promise<DeepReadonly<Namespace>> => {
  const found = objects.get<Namespace>(namespace, '', r.namespace) ?? (await objects.read<Namespace>(namespace, '', r.namespace));
  if (found === undefined) throw internalError(`namespace ${r.namespace} does not exist`);
  return found;
};

/** `a=b,c=d` as labels. Throws BadRequest for anything else. */
function parseLabels(text: string): Labels {
  if (text.trim() === '') return {};
  return Object.fromEntries(
    text.split(',').map((part) => {
      const pair = part.split('=').map((s) => s.trim());
      if (pair.length !== 2) throw badRequest(`invalid selector: ${part}`);
      return pair as [string, string];
    }),
  );
}

const selectorAnnotation = 'scheduler.alpha.kubernetes.io/node-selector';

/**
 * Pods get the node selector of their namespace, and none beyond what the namespace may have. `selectors`: by namespace, what its pods may
 * ask for; under `clusterDefaultNodeSelector`, what namespaces that say nothing give. Off by default.
 */
export const podNodeSelector = (objects: ObjectAccess, selectors: Labels): AdmissionPlugin => {
  const check = async (r: AdmissionRequest): Promise<Labels> => {
    const annotation = (await namespaceOf(objects, r)).metadata?.annotations?.[selectorAnnotation];
    const given = parseLabels(annotation ?? selectors['clusterDefaultNodeSelector'] ?? '');
    const own = podOf(r).spec?.nodeSelector ?? {};
    if (Object.entries(given).some(([key, value]) => own[key] !== undefined && own[key] !== value)) {
      throw refuse(r, 'pod node label selector conflicts with its namespace node label selector');
    }
    const merged = { ...given, ...own };
    const allowed = parseLabels(selectors[r.namespace] ?? '');
    if (Object.keys(allowed).length > 0 && Object.entries(merged).some(([key, value]) => allowed[key] !== value)) {
      throw refuse(r, 'pod node label selector labels conflict with its namespace whitelist');
    }
    return merged;
  };
  return {
    name: 'PodNodeSelector',
    handles: (r) => r.operation === 'CREATE' && isFor(r, '', 'pods'),
    mutate: async (r) => {
      const merged = await check(r);
      const { spec } = podOf(r);
      if (spec !== undefined && Object.keys(merged).length > 0) spec.nodeSelector = merged;
    },
    validate: async (r) => void (await check(r)),
  };
};

/** Tolerations in an annotation of a namespace: undefined where there is none. */
function annotatedTolerations(ns: DeepReadonly<Namespace>, key: string): readonly Toleration[] | undefined {
  const text = ns.metadata?.annotations?.[key];
  if (text === undefined) return undefined;
  if (text === '') return [];
  try {
    const parsed: unknown = JSON.parse(text);
    if (Array.isArray(parsed) && parsed.every((t) => typeof t === 'object' && t !== null)) return parsed as Toleration[];
  } catch (error) {
    throw internalError(`annotation ${key} of namespace ${ns.metadata?.name}: ${String(error)}`);
  }
  throw internalError(`annotation ${key} of namespace ${ns.metadata?.name} is not a list of tolerations`);
}

/** Pods get the tolerations of their namespace, and none beyond what the namespace may have. Off by default. */
export const podTolerationRestriction = (objects: ObjectAccess): AdmissionPlugin => ({
  name: 'PodTolerationRestriction',
  handles: (r) => (r.operation === 'CREATE' || r.operation === 'UPDATE') && isFor(r, '', 'pods'),
  mutate: async (r) => {
    const { spec } = podOf(r);
    if (spec === undefined) return;
    const ns = await namespaceOf(objects, r);
    const extra = r.operation === 'CREATE' ? (annotatedTolerations(ns, 'scheduler.alpha.kubernetes.io/defaultTolerations') ?? []) : [];
    const pressure: readonly Toleration[] =
      computePodQOSClass(spec) === 'BestEffort'
        ? []
        : [{ key: 'node.kubernetes.io/memory-pressure', operator: 'Exists', effect: 'NoSchedule' }];
    if (extra.length + pressure.length > 0) spec.tolerations = mergeTolerations(spec.tolerations ?? [], [...extra, ...pressure]);
  },
  validate: async (r) => {
    const allowed = annotatedTolerations(await namespaceOf(objects, r), 'scheduler.alpha.kubernetes.io/tolerationsWhitelist') ?? [];
    if (allowed.length === 0) return;
    if ((podOf(r).spec?.tolerations ?? []).every((t) => allowed.some((a) => covers(a, t)))) return;
    throw internalError('pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist');
  },
});

/** Pods that ask for devices tolerate the taints that keep others off the nodes that have them. Off by default. */
export const extendedResourceToleration: AdmissionPlugin = {
  name: 'ExtendedResourceToleration',
  handles: (r) => (r.operation === 'CREATE' || r.operation === 'UPDATE') && isFor(r, '', 'pods'),
  mutate: (r) => {
    const { spec } = podOf(r);
    if (spec === undefined) return;
    const asked = [...spec.containers, ...(spec.initContainers ?? [])].flatMap((c) => Object.keys(c.resources?.requests ?? {}));
    for (const key of [...new Set(asked.filter(isExtendedResource))].toSorted()) {
      const had = spec.tolerations ?? [];
      if (had.some((t) => t.key === key && t.operator === 'Exists' && t.effect === 'NoSchedule' && (t.value ?? '') === '')) continue;
      spec.tolerations = [...had, { key, operator: 'Exists', effect: 'NoSchedule' }];
    }
  },
};

/** Pods keep others off their own node only, not off a whole zone. Off by default. */
export const limitPodHardAntiAffinityTopology: AdmissionPlugin = {
  name: 'LimitPodHardAntiAffinityTopology',
  handles: (r) => (r.operation === 'CREATE' || r.operation === 'UPDATE') && isFor(r, '', 'pods'),
  validate: (r) => {
    const hostname = 'kubernetes.io/hostname';
    const terms = podOf(r).spec?.affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [];
    const wide = terms.find((t) => t.topologyKey !== hostname);
    if (wide === undefined) return;
    const why = `affinity.PodAntiAffinity.RequiredDuringScheduling has TopologyKey ${wide.topologyKey} but only key ${hostname} is allowed`;
    throw refuse(r, why);
  },
};
