import type { Registry } from 'prom-client';
import { Buckets, bucketSamples, registerSampled } from '../metrics/sampled-metric.ts';

type StepType = 'admit' | 'validate';

/** The time that one pass over the plugins takes. */
interface AdmissionStep {
  /** This one begins; the one before it is done. */
  plugin(name: string): void;
  /** The last one is done, or has refused. */
  end(rejected: boolean): void;
}
export interface AdmissionMetrics {
  begin(type: StepType, operation: string): AdmissionStep;
}

const nothing: AdmissionStep = { plugin: () => undefined, end: () => undefined };
export const uncounted: AdmissionMetrics = { begin: () => nothing };

const bounds = [0.005, 0.025, 0.1, 0.5, 1, 2.5];
interface Series {
  readonly labels: Record<string, string>;
  readonly buckets: Buckets;
}

/** apiserver_admission_*_duration_seconds, with upstream's labels. */
export function createAdmissionMetrics(registers: readonly Registry[], monotonicMs: () => number): AdmissionMetrics {
  const plugins = new Map<string, Series>();
  const steps = new Map<string, Series>();
  const observe = (
    into: Map<string, Series>,
    ms: number,
    labels: readonly [name: string, operation: string, type: StepType, rejected: boolean],
  ): void => {
    const key = labels.join(' ');
    let series = into.get(key);
    if (series === undefined) {
      const [name, operation, type, rejected] = labels;
      const named = name === '' ? {} : { name };
      series = { labels: { ...named, operation, rejected: String(rejected), type }, buckets: new Buckets(bounds) };
      into.set(key, series);
    }
    series.buckets.observe(ms / 1000);
  };
  for (const [what, from] of [
    ['controller', plugins],
    ['step', steps],
  ] as const) {
    const name = `apiserver_admission_${what}_admission_duration_seconds`;
    const help =
      what === 'step' ? 'Time of all plugins together, by operation and type.' : 'Time of an admission plugin, by operation and type.';
    const sample = () => [...from.values()].flatMap((s) => bucketSamples(name, s.labels, s.buckets));
    registerSampled(registers, { name, help, type: 'histogram', sample });
  }
  return {
    begin: (type, operation) => {
      const startedMs = monotonicMs();
      let current = '';
      let sinceMs = startedMs;
      const done = (rejected: boolean, now: number): void => {
        if (current !== '') observe(plugins, now - sinceMs, [current, operation, type, rejected]);
        sinceMs = now;
      };
      return {
        plugin: (name) => {
          done(false, monotonicMs());
          current = name;
        },
        end: (rejected) => {
          const now = monotonicMs();
          done(rejected, now);
          observe(steps, now - startedMs, ['', operation, type, rejected]);
        },
      };
    },
  };
}
