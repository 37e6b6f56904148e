import type { ControllerMetrics } from '@skiff/client';

const bucketsSeconds = [0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10];

interface Histogram {
  readonly counts: number[];
  sum: number;
  count: number;
}

/** Counters of the controllers in the text format of Prometheus. Names are controller-runtime's. */
export function createControllerMetrics(): ControllerMetrics & { render(): string } {
  const reconciles = new Map<string, number>();
  const depth = new Map<string, number>();
  const stuck = new Map<string, number>();
  const durations = new Map<string, Histogram>();
  const count = (map: Map<string, number>, key: string): void => void map.set(key, (map.get(key) ?? 0) + 1);

  const family = (name: string, type: string, samples: Iterable<[string, number]>): string[] => [
    `# TYPE ${name} ${type}`,
    ...[...samples].map(([labels, value]) => `${name}{${labels}} ${value}`),
  ];
  const histogramLines = (name: string): string[] => [
    `# TYPE ${name} histogram`,
    ...[...durations].flatMap(([controller, h]) => [
      ...bucketsSeconds.map((le, i) => `${name}_bucket{controller="${controller}",le="${le}"} ${h.counts[i] ?? 0}`),
      `${name}_bucket{controller="${controller}",le="+Inf"} ${h.count}`,
      `${name}_sum{controller="${controller}"} ${h.sum}`,
      `${name}_count{controller="${controller}"} ${h.count}`,
    ]),
  ];

  return {
    reconciled: (controller, outcome, durationMs) => {
      count(reconciles, `controller="${controller}",result="${outcome}"`);
      const histogram = durations.get(controller) ?? { counts: bucketsSeconds.map(() => 0), sum: 0, count: 0 };
      const seconds = durationMs / 1000;
      histogram.sum += seconds;
      histogram.count += 1;
      bucketsSeconds.forEach((le, i) => {
        if (seconds <= le) histogram.counts[i] = (histogram.counts[i] ?? 0) + 1;
      });
      durations.set(controller, histogram);
    },
    queueLength: (controller, length) => void depth.set(`name="${controller}"`, length),
    fenceStuck: (controller, resource) => count(stuck, `controller="${controller}",resource="${resource}"`),
    render: () =>
      [
        ...family('controller_runtime_reconcile_total', 'counter', reconciles),
        ...histogramLines('controller_runtime_reconcile_time_seconds'),
        ...family('workqueue_depth', 'gauge', depth),
        ...family('skiff_write_fence_stuck_total', 'counter', stuck),
        '',
      ].join('\n'),
  };
}
