import { type DeepReadonly, formatQuantity, newQuantity, scaledQuantity, parseQuantity } from '@skiff/apimachinery';
import type { ResourceList } from '../core/v1/resource-list.ts';
import type { PersistentVolumeClaim, Service } from '../generated/types/core-v1.ts';
import { objectCountName, type QuotaEvaluator, scopeSelects } from './evaluator.ts';
import { podQuota } from './pods.ts';

const noScope = (): boolean => false;

/** Objects of a resource that count by number only. `alias` is the name that older quotas use. */
export function objectCountQuota(group: string, resource: string, alias?: string): QuotaEvaluator {
  const names = [objectCountName(group, resource), ...(alias === undefined ? [] : [alias])];
  const usage: ResourceList = Object.fromEntries(names.map((name) => [name, '1']));
  return {
    group,
    resource,
    handles: (a) => a.operation === 'CREATE' && a.subresource === '',
    matchingResources: (wanted) => wanted.filter((name) => names.includes(name)),
    matchesScope: noScope,
    usage: () => usage,
  };
}

const serviceNames = [objectCountName('', 'services'), 'services', 'services.nodeports', 'services.loadbalancers'];

const serviceQuota: QuotaEvaluator = {
  group: '',
  resource: 'services',
  handles: (a) => a.subresource === '',
  matchingResources: (names) => names.filter((name) => serviceNames.includes(name)),
  matchesScope: noScope,
  usage(object) {
    const { spec } = object as DeepReadonly<Service>;
    const ports = spec?.ports ?? [];
    const balanced = spec?.type === 'LoadBalancer';
    const all = spec?.type === 'NodePort' || (balanced && spec.allocateLoadBalancerNodePorts !== false);
    const nodePorts = all ? ports.length : balanced ? ports.filter((p) => (p.nodePort ?? 0) !== 0).length : 0;
    return {
      [objectCountName('', 'services')]: '1',
      services: '1',
      'services.nodeports': newQuantity(nodePorts, 'DecimalSI'),
      'services.loadbalancers': balanced ? '1' : '0',
    };
  },
};

const claimNames = ['persistentvolumeclaims', 'requests.storage'];
const classInfix = '.storageclass.storage.k8s.io/';

/** Whole bytes, rounded up. */
function roundUp(quantity: string): string {
  const { format } = parseQuantity(quantity);
  return formatQuantity({ unscaled: scaledQuantity(quantity, 0), scale: 0, format });
}

const claimQuota: QuotaEvaluator = {
  group: '',
  resource: 'persistentvolumeclaims',
  handles(a) {
    if (a.subresource === '') return true;
    if (a.subresource !== 'status') return false;
    const [now, before] = [a.object, a.oldObject] as DeepReadonly<PersistentVolumeClaim | undefined>[];
    return (
      now?.status?.allocatedResources?.['storage'] !== before?.status?.allocatedResources?.['storage'] ||
      now?.status?.currentVolumeAttributesClassName !== before?.status?.currentVolumeAttributesClassName
    );
  },
  matchingResources: (names) =>
    names.filter(
      (name) =>
        name === objectCountName('', 'persistentvolumeclaims') ||
        claimNames.includes(name) ||
        claimNames.some((own) => name.endsWith(`${classInfix}${own}`)),
    ),
  matchesScope(scope, object) {
    if (scope.scopeName !== 'VolumeAttributesClass') return false;
    const { spec, status } = object as DeepReadonly<PersistentVolumeClaim>;
    const classes = [
      spec?.volumeAttributesClassName,
      status?.currentVolumeAttributesClassName,
      status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
    ].filter((name): name is string => name !== undefined && name !== '');
    return classes.length === 0 ? scopeSelects(scope, undefined) : classes.some((name) => scopeSelects(scope, name));
  },
  usage(object) {
    const { metadata, spec, status } = object as DeepReadonly<PersistentVolumeClaim>;
    const className = metadata?.annotations?.['volume.beta.kubernetes.io/storage-class'] ?? spec?.storageClassName ?? '';
    const usage: ResourceList = { persistentvolumeclaims: '1', [objectCountName('', 'persistentvolumeclaims')]: '1' };
    if (className !== '') usage[`${className}${classInfix}persistentvolumeclaims`] = '1';
    const requested = spec?.resources?.requests?.['storage'];
    if (requested === undefined) return usage;
    const allocated = status?.allocatedResources?.['storage'];
    const storage = roundUp(allocated !== undefined && scaledQuantity(allocated, 0) > scaledQuantity(requested, 0) ? allocated : requested);
    usage['requests.storage'] = storage;
    if (className !== '') usage[`${className}${classInfix}requests.storage`] = storage;
    return usage;
  },
};

/** The resources whose objects count by more than their number, or under an old name. */
const special: readonly QuotaEvaluator[] = [
  podQuota,
  serviceQuota,
  claimQuota,
  objectCountQuota('', 'configmaps', 'configmaps'),
  objectCountQuota('', 'resourcequotas', 'resourcequotas'),
  objectCountQuota('', 'replicationcontrollers', 'replicationcontrollers'),
  objectCountQuota('', 'secrets', 'secrets'),
];
const specialByResource = new Map(special.map((e) => [`${e.group}/${e.resource}`, e]));
const counters = new Map<string, QuotaEvaluator>();

/** How objects of a resource count: every one at least by `count/<resource>.<group>`. */
export function quotaEvaluator(group: string, resource: string): QuotaEvaluator {
  const key = `${group}/${resource}`;
  const known = specialByResource.get(key) ?? counters.get(key);
  if (known !== undefined) return known;
  const counter = objectCountQuota(group, resource);
  counters.set(key, counter);
  return counter;
}

/** The resources that a quota's names are about: those with rules of their own, and what `count/…` names. */
export function quotaResources(names: readonly string[]): readonly QuotaEvaluator[] {
  const found = new Set(special.filter((e) => e.matchingResources(names).length > 0));
  for (const name of names) {
    const m = /^count\/([^./]+)(?:\.(.+))?$/.exec(name);
    if (m?.[1] !== undefined) found.add(quotaEvaluator(m[2] ?? '', m[1]));
  }
  return [...found];
}
