import type { LabelSelector, ResourceRef } from '@skiff/apimachinery';
import { isStatusError, parseDurationMs, quantityMilliValue } from '@skiff/apimachinery';
import { statusErrorOf, type Client } from '@skiff/client';
import type { PodMetric, PodMetrics } from './replica-calculator.ts';

/** The three metrics APIs. Each call throws, in upstream's words, when there is no value. */
export interface MetricSources {
  /** What the pods use of a resource: all of their containers, or those of one name. */
  resource(o: { resource: string; namespace: string; selector: string; container: string; signal: AbortSignal }): Promise<PodMetrics>;
  pods(o: { metric: string; namespace: string; selector: string; metricSelector: string; signal: AbortSignal }): Promise<PodMetrics>;
  /** Thousandths. */
  object(o: {
    metric: string;
    namespace: string;
    resource: ResourceRef;
    name: string;
    metricSelector: string;
    signal: AbortSignal;
  }): Promise<number>;
  external(o: { metric: string; namespace: string; metricSelector: string; signal: AbortSignal }): Promise<readonly number[]>;
}

interface ResourceMetrics {
  readonly metadata?: { readonly name?: string };
  readonly timestamp?: string;
  readonly window?: string;
  readonly containers?: readonly { readonly name: string; readonly usage?: Readonly<Record<string, string>> }[];
}
interface MetricValue {
  readonly describedObject?: { readonly name?: string };
  readonly timestamp?: string;
  readonly windowSeconds?: number;
  readonly value: string;
}

const defaultWindowMs = 60_000;
const customGroup = 'custom.metrics.k8s.io';
/** Those that are understood, the newest first. */
const customVersions = ['v1beta2', 'v1beta1'] as const;
const versionMaxAgeMs = 60_000;

/** As it stands in a query. */
export function selectorText(selector: LabelSelector | undefined): string {
  const pairs = Object.entries(selector?.matchLabels ?? {}).map(([key, value]) => `${key}=${value}`);
  const expressions = (selector?.matchExpressions ?? []).map(({ key, operator, values = [] }) => {
    if (operator === 'Exists') return key;
    if (operator === 'DoesNotExist') return `!${key}`;
    return `${key} ${operator === 'In' ? 'in' : 'notin'} (${[...values].join(',')})`;
  });
  return [...pairs, ...expressions].join(',');
}

/** A pod of which a container says nothing is left out. */
function podMetric(m: ResourceMetrics, resource: string, container: string): PodMetric | undefined {
  const chosen = (m.containers ?? []).filter((c) => container === '' || c.name === container);
  if (chosen.length === 0) return undefined;
  let value = 0;
  for (const { usage } of chosen) {
    const used = usage?.[resource];
    if (used === undefined) return undefined;
    value += quantityMilliValue(used);
  }
  return { value, atMs: Date.parse(m.timestamp ?? ''), windowMs: parseDurationMs(m.window ?? '0s') };
}

export function createMetricSources(deps: { client: Client; nowMs: () => number }): MetricSources {
  const { client, nowMs } = deps;
  const get = async <T>(path: string, query: Readonly<Record<string, string | undefined>>, signal: AbortSignal): Promise<T> => {
    const answer = await client.request({ method: 'GET', path, query, signal });
    if (answer.code >= 400) throw statusErrorOf(answer.code, answer.body);
    return JSON.parse(answer.body.toString('utf8')) as T;
  };
  const items = async <T>(api: string, path: string, query: Readonly<Record<string, string | undefined>>, signal: AbortSignal) => {
    let found: readonly T[];
    try {
      found = (await get<{ items?: readonly T[] }>(path, query, signal)).items ?? [];
    } catch (error) {
      throw new Error(`unable to fetch metrics from ${api} metrics API: ${(error as Error).message}`, { cause: error });
    }
    if (found.length === 0) throw new Error(`no metrics returned from ${api} metrics API`);
    return found;
  };

  let custom: { readonly version: string; readonly atMs: number } | undefined;
  const customPrefix = async (signal: AbortSignal): Promise<string> => {
    if (custom === undefined || nowMs() - custom.atMs > versionMaxAgeMs) {
      custom = undefined;
      let versions: readonly string[];
      try {
        const group = await get<{ versions?: readonly { version: string }[] }>(`/apis/${customGroup}`, {}, signal);
        versions = (group.versions ?? []).map((v) => v.version);
      } catch (error) {
        if (!isStatusError(error) || error.code !== 404) throw error;
        versions = [];
      }
      const version = customVersions.find((v) => versions.includes(v));
      if (version === undefined)
        throw new Error(`unable to fetch metrics from custom metrics API: no custom metrics API (${customGroup}) registered`);
      custom = { version, atMs: nowMs() };
    }
    return `/apis/${customGroup}/${custom.version}`;
  };

  return {
    resource: async ({ resource, namespace, selector, container, signal }) => {
      const path = `/apis/metrics.k8s.io/v1beta1/namespaces/${namespace}/pods`;
      const found = await items<ResourceMetrics>('resource', path, { labelSelector: selector }, signal);
      return new Map(
        found.flatMap((m) => {
          const metric = podMetric(m, resource, container);
          return metric === undefined ? [] : [[m.metadata?.name ?? '', metric] as const];
        }),
      );
    },
    pods: async ({ metric, namespace, selector, metricSelector, signal }) => {
      const path = `${await customPrefix(signal)}/namespaces/${namespace}/pods/*/${encodeURIComponent(metric)}`;
      const query = { labelSelector: selector, metricLabelSelector: metricSelector === '' ? undefined : metricSelector };
      const found = await items<MetricValue>('custom', path, query, signal);
      return new Map(
        found.map((m) => [
          m.describedObject?.name ?? '',
          {
            value: quantityMilliValue(m.value),
            atMs: Date.parse(m.timestamp ?? ''),
            windowMs: m.windowSeconds === undefined ? defaultWindowMs : m.windowSeconds * 1000,
          },
        ]),
      );
    },
    object: async ({ metric, namespace, resource, name, metricSelector, signal }) => {
      const prefix = await customPrefix(signal);
      const encoded = encodeURIComponent(metric);
      const of = resource.group === '' ? resource.plural : `${resource.plural}.${resource.group}`;
      // Of namespaces only the autoscaler's own can be asked about.
      const path =
        resource.group === '' && resource.plural === 'namespaces'
          ? `${prefix}/namespaces/${namespace}/metrics/${encoded}`
          : `${prefix}/namespaces/${namespace}/${of}/${name}/${encoded}`;
      const query = { metricLabelSelector: metricSelector === '' ? undefined : metricSelector };
      const [found, ...more] = await items<MetricValue>('custom', path, query, signal);
      if (found === undefined || more.length > 0)
        throw new Error(
          `unable to fetch metrics from custom metrics API: the custom metrics API server returned ${more.length + 1} results when we asked for exactly one`,
        );
      return quantityMilliValue(found.value);
    },
    external: async ({ metric, namespace, metricSelector, signal }) => {
      const path = `/apis/external.metrics.k8s.io/v1beta1/namespaces/${namespace}/${encodeURIComponent(metric)}`;
      const query = { labelSelector: metricSelector === '' ? undefined : metricSelector };
      return (await items<MetricValue>('external', path, query, signal)).map((m) => quantityMilliValue(m.value));
    },
  };
}
