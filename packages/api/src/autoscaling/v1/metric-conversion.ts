/** Metrics as autoscaling/v1 writes them in annotations, and as v2 has them. */
import type { MetricSpec, MetricStatus, MetricTarget, MetricValueStatus } from '../../generated/types/autoscaling-v2.ts';

type Part = Record<string, unknown>;

/** Without what is undefined. */
const compact = (part: Part): Part => Object.fromEntries(Object.entries(part).filter(([, value]) => value !== undefined));

interface SourceV2 extends Part {
  readonly target?: MetricTarget;
  readonly current?: MetricValueStatus;
  readonly metric?: { name: string; selector?: unknown };
  readonly describedObject?: { kind: string; name: string; apiVersion?: string };
}

const zero = '0';

/** Old names of what v2 calls `target` and `current`. */
const isSpec = (s: SourceV2): boolean => s.target !== undefined;

function objectToV1(s: SourceV2): Part {
  const { kind = '', name = '', apiVersion } = s.describedObject ?? {};
  const value = isSpec(s) ? { targetValue: s.target?.value ?? zero } : { currentValue: s.current?.value ?? zero };
  return compact({
    target: compact({ kind, name, apiVersion: apiVersion || undefined }),
    metricName: s.metric?.name ?? '',
    ...value,
    selector: s.metric?.selector,
    averageValue: (s.target ?? s.current)?.averageValue,
  });
}

function podsToV1(s: SourceV2): Part {
  const average = isSpec(s)
    ? { targetAverageValue: s.target?.averageValue ?? zero }
    : { currentAverageValue: s.current?.averageValue ?? zero };
  return compact({ metricName: s.metric?.name ?? '', ...average, selector: s.metric?.selector });
}

function resourceToV1(s: SourceV2): Part {
  const value = isSpec(s)
    ? { targetAverageUtilization: s.target?.averageUtilization, targetAverageValue: s.target?.averageValue }
    : { currentAverageUtilization: s.current?.averageUtilization, currentAverageValue: s.current?.averageValue ?? zero };
  return compact({ name: s['name'], ...value, container: s['container'] });
}

function externalToV1(s: SourceV2): Part {
  const value = isSpec(s)
    ? { targetValue: s.target?.value, targetAverageValue: s.target?.averageValue }
    : { currentValue: s.current?.value ?? zero, currentAverageValue: s.current?.averageValue };
  return compact({ metricName: s.metric?.name ?? '', metricSelector: s.metric?.selector, ...value });
}

const kinds = {
  object: { to: objectToV1, from: objectFromV1 },
  pods: { to: podsToV1, from: podsFromV1 },
  resource: { to: resourceToV1, from: resourceFromV1 },
  containerResource: { to: resourceToV1, from: resourceFromV1 },
  external: { to: externalToV1, from: externalFromV1 },
} as const;

function convert(metric: Part, direction: 'to' | 'from', spec: boolean): Part {
  const parts = Object.entries(kinds).flatMap(([name, kind]): [string, Part][] => {
    const source = metric[name] as Part | undefined;
    return source === undefined ? [] : [[name, direction === 'to' ? kind.to(source) : kind.from(source, spec)]];
  });
  return { type: metric['type'] ?? '', ...Object.fromEntries(parts) };
}

export const metricToV1 = (metric: MetricSpec | MetricStatus): Part => convert(metric as unknown as Part, 'to', true);
export const metricSpecFromV1 = (metric: Part): MetricSpec => convert(metric, 'from', true) as unknown as MetricSpec;
export const metricStatusFromV1 = (metric: Part): MetricStatus => convert(metric, 'from', false) as unknown as MetricStatus;

const identifier = (name: unknown, selector: unknown): Part => compact({ name: name ?? '', selector });
const isZero = (quantity: unknown): boolean => typeof quantity !== 'string' || /^[+-]?0*\.?0*[a-zA-Z]*$/.test(quantity);

function objectFromV1(s: Part, spec: boolean): Part {
  const average = s['averageValue'];
  const described = { describedObject: s['target'], metric: identifier(s['metricName'], s['selector']) };
  if (!spec) return { ...described, current: compact({ value: s['currentValue'], averageValue: average }) };
  const value = s['targetValue'] ?? zero;
  const target =
    average === undefined ? { type: 'Value', value } : { type: 'AverageValue', ...(isZero(value) ? {} : { value }), averageValue: average };
  return { ...described, target };
}

function podsFromV1(s: Part, spec: boolean): Part {
  const metric = identifier(s['metricName'], s['selector']);
  if (!spec) return { metric, current: { averageValue: s['currentAverageValue'] ?? zero } };
  return { metric, target: { type: 'AverageValue', averageValue: s['targetAverageValue'] ?? zero } };
}

function resourceFromV1(s: Part, spec: boolean): Part {
  const named = compact({ name: s['name'], container: s['container'] });
  if (!spec) {
    const [averageUtilization, averageValue] = [s['currentAverageUtilization'], s['currentAverageValue'] ?? zero];
    return { ...named, current: compact({ averageValue, averageUtilization }) };
  }
  const averageUtilization = s['targetAverageUtilization'];
  const type = averageUtilization === undefined ? 'AverageValue' : 'Utilization';
  return { ...named, target: compact({ type, averageValue: s['targetAverageValue'], averageUtilization }) };
}

function externalFromV1(s: Part, spec: boolean): Part {
  const metric = identifier(s['metricName'], s['metricSelector']);
  if (!spec) return { metric, current: compact({ value: s['currentValue'] ?? zero, averageValue: s['currentAverageValue'] }) };
  const [value, averageValue] = [s['targetValue'], s['targetAverageValue']];
  return { metric, target: compact({ type: value === undefined ? 'AverageValue' : 'Value', value, averageValue }) };
}
