import type { Registry } from 'prom-client';
import { type Buckets, bucketSamples, type Labels, registerSampled, type Samples } from '../metrics/sampled-metric.ts';
import type { FlowController } from './flow-control.ts';
import { type FlowStatistics, rejectReasons } from './flow-statistics.ts';
import type { PriorityLevel } from './priority-level.ts';

/** apiserver_flowcontrol_*, with upstream's names and labels; read when they are asked for. */
export function registerFlowMetrics(registers: readonly Registry[], flowControl: FlowController): void {
  const add = (name: string, help: string, o: { type: 'counter' | 'gauge' | 'histogram'; sample: () => Samples }): void =>
    registerSampled(registers, { name, help, ...o });
  const flows = (sample: (s: FlowStatistics, labels: Labels) => Samples): Samples =>
    flowControl.configuration.schemas.flatMap(({ name, level, statistics }) =>
      statistics.estimatedSeats.count === 0 ? [] : sample(statistics, { priority_level: level.name, flow_schema: name }),
    );
  const flowNumber = (type: 'counter' | 'gauge', name: string, help: string, read: (s: FlowStatistics) => number): void =>
    add(`apiserver_flowcontrol_${name}`, help, {
      type,
      sample: () => flows((s, labels) => [{ metricName: `apiserver_flowcontrol_${name}`, labels, value: read(s) }]),
    });
  const flowHistogram = (name: string, help: string, read: (s: FlowStatistics) => readonly (readonly [Labels, Buckets])[]): void => {
    const full = `apiserver_flowcontrol_${name}`;
    const sample = (): Samples =>
      flows((s, labels) => read(s).flatMap(([more, b]) => (b.count === 0 ? [] : bucketSamples(full, { ...labels, ...more }, b))));
    add(full, help, { type: 'histogram', sample });
  };
  const levelGauge = (name: string, help: string, read: (l: PriorityLevel) => number): void => {
    const metricName = `apiserver_flowcontrol_${name}`;
    const sample = (): Samples =>
      [...flowControl.configuration.levels.values()].map((l) => ({ metricName, labels: { priority_level: l.name }, value: read(l) }));
    add(metricName, help, { type: 'gauge', sample });
  };

  const rejected = 'apiserver_flowcontrol_rejected_requests_total';
  add(rejected, 'Requests refused, by reason.', {
    type: 'counter',
    sample: () =>
      flows((s, labels) =>
        rejectReasons.flatMap((reason) => {
          const value = s.rejected[reason];
          return value === undefined ? [] : [{ metricName: rejected, labels: { ...labels, reason }, value }];
        }),
      ),
  });
  flowNumber('counter', 'dispatched_requests_total', 'Requests served.', (s) => s.dispatched);
  flowNumber(
    'counter',
    'request_dispatch_no_accommodation_total',
    'Times that the next request was too wide for the free seats.',
    (s) => s.noAccommodation,
  );
  flowNumber('gauge', 'current_executing_requests', 'Requests under way; watches while they begin.', (s) => s.executing);
  flowNumber('gauge', 'current_executing_seats', 'Seats taken.', (s) => s.executingSeats);
  flowNumber('gauge', 'current_inqueue_requests', 'Requests that wait.', (s) => s.waiting);
  flowNumber('gauge', 'current_inqueue_seats', 'Seats that are waited for.', (s) => s.waitingSeats);
  flowHistogram('request_wait_duration_seconds', 'Time in a queue.', (s) => [
    [{ execute: 'true' }, s.waitSeconds.true],
    [{ execute: 'false' }, s.waitSeconds.false],
  ]);
  flowHistogram('request_execution_seconds', 'Time with seats.', (s) => [
    [{ type: 'regular' }, s.executionSeconds.regular],
    [{ type: 'watch' }, s.executionSeconds.watch],
  ]);
  flowHistogram('request_queue_length_after_enqueue', 'Length of the queue that a request came into.', (s) => [[{}, s.queueLength]]);
  flowHistogram('work_estimated_seats', 'How wide requests are.', (s) => [[{}, s.estimatedSeats]]);
  flowHistogram('watch_count_samples', 'Watchers that a write concerns.', (s) => [[{}, s.watchCounts]]);

  levelGauge('nominal_limit_seats', 'Seats by configuration.', (l) => l.nominal);
  levelGauge('lower_limit_seats', 'Seats that are never lent.', (l) => l.min);
  levelGauge('upper_limit_seats', 'Seats with all that may be borrowed.', (l) => l.max);
  levelGauge('current_limit_seats', 'Seats at present.', (l) => l.current);
  levelGauge('demand_seats_high_watermark', 'Most seats asked for in the last period.', (l) => l.demand.highWatermark);
  levelGauge('demand_seats_average', 'Seats asked for in the last period, averaged over time.', (l) => l.demand.average);
  levelGauge('demand_seats_stdev', 'Standard deviation of the seats asked for.', (l) => l.demand.deviation);
  levelGauge('demand_seats_smoothed', 'Seats asked for, smoothed over minutes.', (l) => l.demand.smoothed);
  levelGauge('target_seats', 'What seats are divided by.', (l) => l.demand.target);
  levelGauge('current_r', 'Virtual time, in seat-seconds.', (l) => l.queueSet.virtualTime);
  levelGauge('dispatch_r', 'Virtual time of the last dispatch.', (l) => l.queueSet.last.dispatchR);
  levelGauge('latest_s', 'Virtual start of the request dispatched last.', (l) => l.queueSet.last.s);
  const fraction = 'apiserver_flowcontrol_seat_fair_frac';
  add(fraction, 'The part of its demand that each level gets.', {
    type: 'gauge',
    sample: () => [{ metricName: fraction, labels: {}, value: flowControl.fairFraction }],
  });
}
