import { Buckets } from '../metrics/sampled-metric.ts';

export const rejectReasons = ['queue-full', 'concurrency-limit', 'time-out'] as const;
export type RejectReason = (typeof rejectReasons)[number];

const secondsBounds = [0, 0.005, 0.02, 0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30];

/** What is counted for one FlowSchema at its priority level. */
export class FlowStatistics {
  dispatched = 0;
  executing = 0;
  executingSeats = 0;
  waiting = 0;
  waitingSeats = 0;
  noAccommodation = 0;
  readonly rejected: Partial<Record<RejectReason, number>> = {};
  readonly waitSeconds = { true: new Buckets(secondsBounds), false: new Buckets(secondsBounds) };
  readonly executionSeconds = { regular: new Buckets(secondsBounds), watch: new Buckets(secondsBounds) };
  readonly estimatedSeats = new Buckets([1, 2, 4, 8, 16, 32, 64, 100]);
  readonly queueLength = new Buckets([0, 10, 25, 50, 100, 250, 500, 1000]);
  readonly watchCounts = new Buckets([0, 1, 10, 100, 1000, 10_000]);

  reject(reason: RejectReason): void {
    this.rejected[reason] = (this.rejected[reason] ?? 0) + 1;
  }
}
