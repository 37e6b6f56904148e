import type { Clock } from '@skiff/component-base';
import type { ApiResponse } from '../contract.ts';
import type { PathRoute } from '../paths.ts';
import { textResponse } from '../request/responses.ts';
import type { FlowController } from './flow-control.ts';
import type { FlowRequest, Queue } from './queue-set.ts';

type Row = readonly (string | number | boolean)[];
const maxRows = 20_000;

/** Values with commas, in columns. */
function table(rows: readonly Row[]): ApiResponse {
  const cells = rows.map((row) => row.map((cell, i) => (i < row.length - 1 ? `${cell},` : String(cell))));
  const widths: number[] = [];
  for (const row of cells) for (const [i, cell] of row.slice(0, -1).entries()) widths[i] = Math.max(widths[i] ?? 8, cell.length + 1);
  const lines = cells.map((row) => row.map((cell, i) => (i < row.length - 1 ? cell.padEnd(widths[i] ?? 0) : cell)).join(''));
  return textResponse(200, `${lines.join('\n')}\n`);
}

const seatSeconds = (value: number): string => `${value.toFixed(8)}ss`;

function levelRows({ configuration }: FlowController): Row[] {
  const levels = [...configuration.levels.values()].sort((a, b) => (a.name < b.name ? -1 : 1));
  return levels.map(({ name, queueSet, quiescing }) => [
    name,
    [...queueSet.queues.values()].filter((q) => q.waiting.size > 0).length,
    queueSet.idle,
    quiescing,
    queueSet.waiting,
    queueSet.executing,
    queueSet.totals.dispatched,
    queueSet.totals.rejected,
    queueSet.totals.timedOut,
    queueSet.totals.cancelled,
  ]);
}

function queueRows({ configuration }: FlowController): Row[] {
  const initialSeats = (q: Queue): number => [...q.waiting].reduce((sum, r) => sum + r.estimate.initialSeats, 0);
  return [...configuration.levels.values()].flatMap(({ name, queueSet }) =>
    [...queueSet.queues]
      .sort(([a], [b]) => a - b)
      .map(([i, q]) => [
        name,
        i,
        q.waiting.size,
        q.executing.size,
        q.seatsInUse,
        seatSeconds(q.nextDispatchR),
        initialSeats(q),
        q.waitingSeats,
        seatSeconds(q.waitingWork),
      ]),
  );
}

function requestRows({ configuration }: FlowController, o: { details: boolean; clock: Clock }): Row[] {
  const wallMs = o.clock.now() - o.clock.monotonicMs();
  const time = (ms: number): string => (ms === 0 ? '0001-01-01T00:00:00Z' : new Date(wallMs + ms).toISOString());
  const rows: Row[] = [];
  for (const { name, queueSet } of configuration.levels.values()) {
    const add = (r: FlowRequest, queue: number, index: number): void => {
      const { schema, distinguisher, user, info } = r.subject;
      const { initialSeats, finalSeats, extraMs } = r.estimate;
      const latency = `${extraMs}${extraMs === 0 ? 's' : 'ms'}`;
      const row = [name, schema, queue, index, distinguisher, time(r.arrivedMs), initialSeats, finalSeats, latency, time(r.startedMs)];
      const version = info.group === '' ? info.version : `${info.group}/${info.version}`;
      const details = [user.name, info.verb, info.path, info.namespace, info.name, version, info.resource, info.subresource];
      rows.push(o.details ? [...row, ...details] : row);
    };
    for (const [i, q] of queueSet.queues) {
      for (const [index, r] of [...q.waiting].entries()) add(r, i, index);
      for (const r of q.executing) add(r, i, -1);
    }
    for (const r of queueSet.queueless) add(r, -1, -1);
  }
  return rows.slice(0, maxRows);
}

const levelColumns =
  'PriorityLevelName ActiveQueues IsIdle IsQuiescing WaitingRequests ExecutingRequests DispatchedRequests RejectedRequests TimedoutRequests CancelledRequests';
const queueColumns =
  'PriorityLevelName Index PendingRequests ExecutingRequests SeatsInUse NextDispatchR InitialSeatsSum MaxSeatsSum TotalWorkSum';
const requestColumns =
  'PriorityLevelName FlowSchemaName QueueIndex RequestIndexInQueue FlowDistingsher ArriveTime InitialSeats FinalSeats AdditionalLatency StartTime';
const detailColumns = 'UserName Verb APIPath Namespace Name APIVersion Resource SubResource';

/** What waits and what runs, for people (upstream's paths and columns, spelling included). */
export function flowControlDumps(flowControl: FlowController, clock: Clock): readonly PathRoute[] {
  const root = '/debug/api_priority_and_fairness';
  return [
    { path: `${root}/dump_priority_levels`, handle: () => table([levelColumns.split(' '), ...levelRows(flowControl)]) },
    { path: `${root}/dump_queues`, handle: () => table([queueColumns.split(' '), ...queueRows(flowControl)]) },
    {
      path: `${root}/dump_requests`,
      handle: ({ query }) => {
        const details = (query.get('includeRequestDetails') ?? '') !== '';
        const columns = [...requestColumns.split(' '), ...(details ? detailColumns.split(' ') : [])];
        return table([columns, ...requestRows(flowControl, { details, clock })]);
      },
    },
  ];
}
