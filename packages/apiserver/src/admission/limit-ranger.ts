import {
  limitRange,
  type Container,
  type LimitRange,
  type LimitRangeItem,
  type PersistentVolumeClaim,
  type Pod,
  podResourceTotals,
} from '@skiff/api';
import { type DeepReadonly, quantityMilliValue, quantityToNumber, quantityValue } from '@skiff/apimachinery';
import type { AdmissionRequest, ObjectAccess } from '../contract.ts';
import { type AdmissionPlugin, isFor } from './plugin.ts';
import { refuse } from './refuse.ts';

type Quantities = Readonly<Record<string, string>>;
interface Usage {
  readonly requests: Quantities;
  readonly limits: Quantities;
}

/** Upstream compares in thousandths while that fits, in whole units beyond. */
const maxMilliValue = 2 ** 63 / 1000;
const isOver = (a: string, b: string): boolean => {
  const fits = quantityToNumber(a) <= maxMilliValue && quantityToNumber(b) <= maxMilliValue;
  return fits ? quantityMilliValue(a) > quantityMilliValue(b) : quantityValue(a) > quantityValue(b);
};

function belowMinimum(type: string, name: string, enforced: string, { requests, limits }: Usage): string | undefined {
  const [request, limit] = [requests[name], limits[name]];
  const rule = `minimum ${name} usage per ${type} is ${enforced}`;
  if (request === undefined) return `${rule}.  No request is specified`;
  if (isOver(enforced, request)) return `${rule}, but request is ${request}`;
  return limit !== undefined && isOver(enforced, limit) ? `${rule}, but limit is ${limit}` : undefined;
}

function aboveMaximum(type: string, name: string, enforced: string, { requests, limits }: Usage): string | undefined {
  const [request, limit] = [requests[name], limits[name]];
  const rule = `maximum ${name} usage per ${type} is ${enforced}`;
  if (limit === undefined) return `${rule}.  No limit is specified`;
  if (isOver(limit, enforced)) return `${rule}, but limit is ${limit}`;
  return request !== undefined && isOver(request, enforced) ? `${rule}, but request is ${request}` : undefined;
}

/** Claims have no limits: their requests alone are held against the maximum. */
function requestAboveMaximum(type: string, name: string, enforced: string, { requests }: Usage): string | undefined {
  const request = requests[name];
  const rule = `maximum ${name} usage per ${type} is ${enforced}`;
  if (request === undefined) return `${rule}.  No request is specified`;
  return isOver(request, enforced) ? `${rule}, but request is ${request}` : undefined;
}

function aboveRatio(type: string, name: string, enforced: string, { requests, limits }: Usage): string | undefined {
  const [request, limit] = [requests[name], limits[name]];
  const rule = `${name} max limit to request ratio per ${type} is ${enforced}`;
  if (request === undefined || quantityToNumber(request) === 0) return `${rule}, but no request is specified or request is 0`;
  if (limit === undefined || quantityToNumber(limit) === 0) return `${rule}, but no limit is specified or limit is 0`;
  const ratio = quantityToNumber(limit) / quantityToNumber(request);
  return ratio > quantityToNumber(enforced) ? `${rule}, but provided ratio is ${ratio.toFixed(6)}` : undefined;
}

type Check = (type: string, name: string, enforced: string, usage: Usage) => string | undefined;

function violations(item: DeepReadonly<LimitRangeItem>, usage: Usage, maximum: Check): string[] {
  const found: string[] = [];
  const checkAll = (list: Quantities | undefined, check: Check): void => {
    for (const name of Object.keys(list ?? {}).sort()) {
      const violation = check(item.type, name, list?.[name] ?? '0', usage);
      if (violation !== undefined) found.push(violation);
    }
  };
  checkAll(item.min, belowMinimum);
  checkAll(item.max, maximum);
  if (item.type !== 'PersistentVolumeClaim') checkAll(item.maxLimitRequestRatio, aboveRatio);
  return found;
}

const usageOf = (c: { resources?: { requests?: Quantities; limits?: Quantities } | undefined }): Usage => ({
  requests: c.resources?.requests ?? {},
  limits: c.resources?.limits ?? {},
});

function podViolations(range: DeepReadonly<LimitRange>, pod: Pod): string[] {
  return (range.spec?.limits ?? []).flatMap((item) => {
    if (item.type === 'Container') {
      const containers = [...(pod.spec?.containers ?? []), ...(pod.spec?.initContainers ?? [])];
      return containers.flatMap((c) => violations(item, usageOf(c), aboveMaximum));
    }
    if (item.type !== 'Pod') return [];
    const requests = podResourceTotals(pod, 'requests', { actual: false });
    return violations(item, { requests, limits: podResourceTotals(pod, 'limits', { actual: false }) }, aboveMaximum);
  });
}

const claimViolations = (range: DeepReadonly<LimitRange>, claim: PersistentVolumeClaim): string[] =>
  (range.spec?.limits ?? [])
    .filter((item) => item.type === 'PersistentVolumeClaim')
    .flatMap((item) => violations(item, { requests: claim.spec?.resources?.requests ?? {}, limits: {} }, requestAboveMaximum));

/** Gives a container what it doesn't name; returns what was set, in the words of the annotation. */
function setDefaults(container: Container, defaults: Usage, what: string): string[] {
  const set = (which: 'requests' | 'limits', word: string): string[] => {
    const missing = Object.keys(defaults[which])
      .filter((name) => container.resources?.[which]?.[name] === undefined)
      .sort();
    if (missing.length === 0) return [];
    const added = Object.fromEntries(missing.map((name) => [name, defaults[which][name] as string]));
    container.resources = { ...container.resources, [which]: { ...container.resources?.[which], ...added } };
    return [`${missing.join(', ')} ${word} for ${what} ${container.name}`];
  };
  return [...set('requests', 'request'), ...set('limits', 'limit')];
}

function applyDefaults(range: DeepReadonly<LimitRange>, pod: Pod): void {
  const items = (range.spec?.limits ?? []).filter((item) => item.type === 'Container');
  const defaults: Usage = {
    requests: Object.assign({}, ...items.map((item) => item.defaultRequest)) as Quantities,
    limits: Object.assign({}, ...items.map((item) => item.default)) as Quantities,
  };
  const set = [
    ...(pod.spec?.containers ?? []).flatMap((c) => setDefaults(c, defaults, 'container')),
    ...(pod.spec?.initContainers ?? []).flatMap((c) => setDefaults(c, defaults, 'init container')),
  ];
  if (set.length === 0) return;
  pod.metadata = {
    ...pod.metadata,
    annotations: { ...pod.metadata?.annotations, 'kubernetes.io/limit-ranger': `LimitRanger plugin set: ${set.join('; ')}` },
  };
}

/** Pods get the LimitRanges' defaults; pods and claims outside their bounds are refused. */
export const limitRanger = (objects: ObjectAccess): AdmissionPlugin => {
  const rangesOf = (r: AdmissionRequest): readonly DeepReadonly<LimitRange>[] => {
    // What is being deleted may be updated in any way, so that its finalizers can go.
    if ((r.oldObject as DeepReadonly<Pod> | null)?.metadata?.deletionTimestamp !== undefined) return [];
    return objects.list<LimitRange>(limitRange, r.namespace).filter((range) => range.metadata?.namespace === r.namespace);
  };
  const check = (r: AdmissionRequest, of: (range: DeepReadonly<LimitRange>) => readonly string[]): void => {
    for (const range of rangesOf(r)) {
      const found = of(range);
      if (found.length > 0) throw refuse(r, found.length === 1 ? (found[0] ?? '') : `[${found.join(', ')}]`);
    }
  };
  return {
    name: 'LimitRanger',
    handles: (r) =>
      (r.operation === 'CREATE' && isFor(r, '', 'pods')) ||
      (r.operation === 'UPDATE' && isFor(r, '', 'pods', 'resize')) ||
      ((r.operation === 'CREATE' || r.operation === 'UPDATE') && isFor(r, '', 'persistentvolumeclaims')),
    mutate: (r) => {
      if (r.definition.plural !== 'pods') return;
      for (const range of rangesOf(r)) applyDefaults(range, r.object as unknown as Pod);
    },
    validate: (r) => {
      if (r.definition.plural === 'pods') check(r, (range) => podViolations(range, r.object as unknown as Pod));
      else check(r, (range) => claimViolations(range, r.object as unknown as PersistentVolumeClaim));
    },
  };
};
