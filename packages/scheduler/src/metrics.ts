const bucketsSeconds = Array.from({ length: 15 }, (_, i) => 0.001 * 2 ** i);
const sliBucketsSeconds = Array.from({ length: 20 }, (_, i) => 0.01 * 2 ** i);

export type AttemptResult = 'scheduled' | 'unschedulable' | 'error';

export interface SchedulerMetrics {
  attempt(result: AttemptResult, durationMs: number): void;
  /** From the first sight of a pod to its binding. */
  bound(sinceAddedMs: number, attempts: number): void;
  preempted(victims: number): void;
}

class Histogram {
  readonly #buckets: readonly number[];
  readonly #counts: number[];
  #sum = 0;
  #count = 0;

  constructor(buckets: readonly number[]) {
    this.#buckets = buckets;
    this.#counts = buckets.map(() => 0);
  }

  observe(value: number): void {
    this.#sum += value;
    this.#count++;
    const bucket = this.#buckets.findIndex((le) => value <= le);
    if (bucket >= 0) this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
  }

  lines(name: string, labels: string): string[] {
    let cumulative = 0;
    const prefix = labels === '' ? '' : `${labels},`;
    const own = labels === '' ? '' : `{${labels}}`;
    return [
      ...this.#buckets.map((le, i) => {
        cumulative += this.#counts[i] ?? 0;
        return `${name}_bucket{${prefix}le="${le}"} ${cumulative}`;
      }),
      `${name}_bucket{${prefix}le="+Inf"} ${this.#count}`,
      `${name}_sum${own} ${this.#sum}`,
      `${name}_count${own} ${this.#count}`,
    ];
  }
}

/** kube-scheduler's main metrics under its names. */
export function createSchedulerMetrics(): SchedulerMetrics & { render(pending: Readonly<Record<string, number>>): string } {
  const attempts = new Map<AttemptResult, Histogram>();
  const sli = new Map<string, Histogram>();
  const victims = new Histogram([1, 2, 4, 8, 16, 32, 64]);
  let preemptions = 0;
  let scheduled = 0;
  const of = <K>(map: Map<K, Histogram>, key: K, buckets: readonly number[]): Histogram => {
    const histogram = map.get(key) ?? new Histogram(buckets);
    map.set(key, histogram);
    return histogram;
  };
  const counted = new Map<AttemptResult, number>();
  return {
    attempt: (result, durationMs) => {
      counted.set(result, (counted.get(result) ?? 0) + 1);
      of(attempts, result, bucketsSeconds).observe(durationMs / 1000);
    },
    bound: (sinceAddedMs, count) => {
      scheduled++;
      of(sli, String(Math.min(count, 15)), sliBucketsSeconds).observe(sinceAddedMs / 1000);
    },
    preempted: (count) => {
      preemptions++;
      victims.observe(count);
    },
    render: (pending) =>
      [
        '# TYPE scheduler_pending_pods gauge',
        ...Object.entries(pending).map(([queue, count]) => `scheduler_pending_pods{queue="${queue}"} ${count}`),
        '# TYPE scheduler_schedule_attempts_total counter',
        ...[...counted].map(([result, n]) => `scheduler_schedule_attempts_total{profile="default-scheduler",result="${result}"} ${n}`),
        '# TYPE scheduler_scheduling_attempt_duration_seconds histogram',
        ...[...attempts].flatMap(([result, h]) =>
          h.lines('scheduler_scheduling_attempt_duration_seconds', `profile="default-scheduler",result="${result}"`),
        ),
        '# TYPE scheduler_pod_scheduling_sli_duration_seconds histogram',
        ...[...sli].flatMap(([n, h]) => h.lines('scheduler_pod_scheduling_sli_duration_seconds', `attempts="${n}"`)),
        '# TYPE scheduler_pods_bound_total counter',
        `scheduler_pods_bound_total ${scheduled}`,
        '# TYPE scheduler_preemption_attempts_total counter',
        `scheduler_preemption_attempts_total ${preemptions}`,
        '# TYPE scheduler_preemption_victims histogram',
        ...victims.lines('scheduler_preemption_victims', ''),
        '',
      ].join('\n'),
  };
}
