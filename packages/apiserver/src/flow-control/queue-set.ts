import type { Clock } from '@skiff/component-base';
import type { RequestInfo, UserInfo } from '../contract.ts';
import type { FlowStatistics, RejectReason } from './flow-statistics.ts';
import { SeatDemand } from './seat-demand.ts';
import type { Gated, TurnGate } from './turn-gate.ts';
import type { WorkEstimate } from './work-estimate.ts';

/** How a priority level makes its requests wait: not at all (exempt), never (they are refused instead), or in queues. */
export type Queuing = 'exempt' | 'reject' | { readonly queues: number; readonly queueLengthLimit: number };

/** Whose request it is, for counting and for dumps. */
export interface FlowSubject {
  readonly schema: string;
  readonly distinguisher: string;
  readonly user: UserInfo;
  readonly info: RequestInfo;
  readonly statistics: FlowStatistics;
}

export interface FlowRequest {
  readonly subject: FlowSubject;
  readonly estimate: WorkEstimate;
  readonly seats: number;
  readonly arrivedMs: number;
  /** 0 while it waits. */
  startedMs: number;
  /** Seat-seconds that it is expected to take. */
  readonly work: number;
  readonly arrivalR: number;
  readonly queue: Queue | undefined;
  /** Called when it gets its seats, having waited. */
  started: () => void;
}

/** Requests in the order in which they came. */
export interface Queue {
  readonly waiting: Set<FlowRequest>;
  readonly executing: Set<FlowRequest>;
  waitingSeats: number;
  waitingWork: number;
  seatsInUse: number;
  /** Virtual time at which its next request would begin, had every queue its fair share. */
  nextDispatchR: number;
}

/** A request is taken to last this long before it is known. */
const estimatedSeconds = 0.003;

/** There may be millions; those that nobody stands in are as good as new. */
const rememberedQueues = 1024;

const newQueue = (): Queue => ({
  waiting: new Set(),
  executing: new Set(),
  waitingSeats: 0,
  waitingWork: 0,
  seatsInUse: 0,
  nextDispatchR: 0,
});
const isActive = (q: Queue): boolean => q.waiting.size > 0 || q.executing.size > 0;
const oldest = (q: Queue): FlowRequest | undefined => q.waiting.values().next().value;

/**
 * The seats of one priority level, and who waits for them: fair queuing by virtual finish times (KEP-1040). All active queues get the
 * same share of seat-seconds, whatever number of requests stand in them.
 *
 *     start ─▶ waiting ─▶ executing ─▶ (lingering: seats for the work that watchers cause) ─▶ gone
 *        └▶ refused   └▶ cancelled
 */
export class QueueSet implements Gated {
  readonly demand: SeatDemand;
  readonly #clock: Clock;
  readonly #gate: TurnGate;
  #queuing: Queuing;
  #limit = 0;
  /** By number; made when they are first needed. */
  #queues = new Map<number, Queue>();
  /** Those with waiting requests; the one that was served last stands last. */
  readonly #nonEmpty = new Set<Queue>();
  /** Those that have begun and go on when it is their turn. */
  readonly #paused = new Map<Queue | undefined, { readonly resume: () => void; readonly work: number }[]>();
  #resumedLast = false;
  /** Executing without a queue. */
  readonly queueless = new Set<FlowRequest>();
  #activeQueues = 0;
  #seatsInUse = 0;
  #seatsWaiting = 0;
  #waiting = 0;
  #executing = 0;
  #enqueued = 0;
  /** Virtual time: grows by the seats that each active queue could have, in seat-seconds. */
  #r = 0;
  #rAtMs: number;
  readonly totals = { dispatched: 0, rejected: 0, timedOut: 0, cancelled: 0 };
  /** Of the last dispatch from a queue. */
  readonly last = { dispatchR: 0, s: 0 };

  constructor(queuing: Queuing, deps: { clock: Clock; gate: TurnGate }) {
    const { clock } = deps;
    this.#queuing = queuing;
    this.#clock = clock;
    this.#gate = deps.gate;
    this.#rAtMs = clock.monotonicMs();
    this.demand = new SeatDemand(this.#rAtMs);
  }

  get idle(): boolean {
    return this.#waiting === 0 && this.#executing === 0;
  }
  get waiting(): number {
    return this.#waiting;
  }
  get executing(): number {
    return this.#executing;
  }
  get queues(): ReadonlyMap<number, Queue> {
    return this.#queues;
  }
  get virtualTime(): number {
    return this.#r;
  }

  /** Queues that are too many are emptied first; they get no more requests. */
  configure(queuing: Queuing, limit: number): void {
    this.#passTime();
    this.#queuing = queuing;
    this.#limit = limit;
    const size = typeof queuing === 'object' ? queuing.queues : 0;
    for (const number of this.#queues.keys()) if (number >= size) this.#queues.delete(number);
    this.#dispatch();
  }

  /** undefined: refused. A request that has not `startedMs` waits, until `started` is called on it or it is cancelled. */
  start(subject: FlowSubject, estimate: WorkEstimate, hand: readonly number[]): FlowRequest | undefined {
    const now = this.#passTime();
    const seats = Math.max(estimate.initialSeats, estimate.finalSeats);
    const work = estimate.initialSeats * estimatedSeconds + (estimate.finalSeats * estimate.extraMs) / 1000;
    const { statistics } = subject;
    const make = (queue: Queue | undefined): FlowRequest => ({
      subject,
      estimate,
      seats,
      work,
      arrivedMs: now,
      startedMs: 0,
      arrivalR: this.#r,
      queue,
      started: () => undefined,
    });
    if (typeof this.#queuing !== 'object') {
      if (!this.#hasRoom(seats)) return this.#refuse(statistics, 'concurrency-limit');
      const request = make(undefined);
      this.#begin(request, now);
      this.queueless.add(request);
      this.#noteDemand(now);
      return request;
    }
    const queue = this.#choose(hand);
    if (this.#seatsInUse >= this.#limit && queue.waiting.size >= this.#queuing.queueLengthLimit)
      return this.#refuse(statistics, 'queue-full');
    const request = make(queue);
    if (!isActive(queue)) {
      queue.nextDispatchR = this.#r;
      this.#activeQueues++;
    }
    if (this.#waiting === 0 && this.#seatsInUse < this.#limit && this.#hasRoom(seats) && this.#gate.open) {
      statistics.queueLength.observe(1);
      this.#serve(queue, request, now);
    } else {
      this.#enqueue(queue, request);
      this.#dispatch();
    }
    this.#noteDemand(now);
    return request;
  }

  /** The request is done with; its seats go to others. */
  finish(request: FlowRequest): void {
    const now = this.#passTime();
    const { queue, estimate, subject } = request;
    this.#executing--;
    subject.statistics.executing--;
    if (queue === undefined) this.queueless.delete(request);
    else {
      queue.executing.delete(request);
      // What it took is known now.
      queue.nextDispatchR += estimate.initialSeats * ((now - request.startedMs) / 1000 - estimatedSeconds);
      this.#bound(queue);
      if (!isActive(queue)) this.#activeQueues--;
    }
    const release = (atMs: number): void => {
      this.#seatsInUse -= request.seats;
      subject.statistics.executingSeats -= request.seats;
      if (queue !== undefined) queue.seatsInUse -= request.seats;
      this.#noteDemand(atMs);
    };
    if (estimate.extraMs <= 0) release(now);
    else
      this.#clock.after(estimate.extraMs, () => {
        release(this.#passTime());
        this.#dispatch();
      });
    this.#dispatch();
  }

  /** Takes a request that waits out of its queue. */
  cancel(request: FlowRequest): void {
    const { queue, subject } = request;
    if (queue === undefined || !queue.waiting.has(request)) return;
    const now = this.#passTime();
    this.#leaveQueue(queue, request);
    this.totals.cancelled++;
    this.#refuse(subject.statistics, 'time-out');
    this.#bound(queue);
    if (!isActive(queue)) this.#activeQueues--;
    this.#noteDemand(now);
    this.#dispatch();
  }

  #refuse(statistics: FlowStatistics, reason: RejectReason): undefined {
    this.totals.rejected++;
    statistics.reject(reason);
  }

  /** Of the flow's queues the one with the least work, a different one first each time. */
  #choose(hand: readonly number[]): Queue {
    const offset = this.#enqueued++ % hand.length;
    let best: Queue | undefined;
    for (let i = 0; i < hand.length; i++) {
      const queue = this.#queueOf(hand[(offset + i) % hand.length] as number);
      if (best === undefined || queue.waitingWork < best.waitingWork) best = queue;
    }
    return best as Queue;
  }

  #queueOf(number: number): Queue {
    let queue = this.#queues.get(number);
    if (queue === undefined) {
      if (this.#queues.size >= rememberedQueues) for (const [n, q] of this.#queues) if (!isActive(q)) this.#queues.delete(n);
      queue = newQueue();
      this.#queues.set(number, queue);
    }
    return queue;
  }

  #enqueue(queue: Queue, request: FlowRequest): void {
    queue.waiting.add(request);
    queue.waitingSeats += request.seats;
    queue.waitingWork += request.work;
    this.#waiting++;
    this.#seatsWaiting += request.seats;
    const { statistics } = request.subject;
    statistics.waiting++;
    statistics.waitingSeats += request.seats;
    statistics.queueLength.observe(queue.waiting.size);
    this.#nonEmpty.add(queue);
    this.#bound(queue);
  }

  #leaveQueue(queue: Queue, request: FlowRequest): void {
    queue.waiting.delete(request);
    queue.waitingSeats -= request.seats;
    queue.waitingWork = queue.waiting.size === 0 ? 0 : queue.waitingWork - request.work;
    this.#waiting--;
    this.#seatsWaiting -= request.seats;
    request.subject.statistics.waiting--;
    request.subject.statistics.waitingSeats -= request.seats;
    this.#nonEmpty.delete(queue);
    if (queue.waiting.size > 0) this.#nonEmpty.add(queue);
  }

  #dispatch(): void {
    while (this.#canBegin() && this.#gate.open) if (this.#beginNext() === undefined) return;
    if (this.#canBegin()) this.#gate.wait(this);
  }

  #canBegin(): boolean {
    return this.#waiting > 0 && this.#seatsInUse < this.#limit;
  }

  /** Between pieces of work: undefined, or what to wait for until it is this one's turn. */
  pause(request: FlowRequest): Promise<void> | undefined {
    if (this.#queuing === 'exempt' || (this.#paused.size === 0 && this.#gate.open)) return undefined;
    return new Promise((resume) => {
      const entry = { resume, work: request.work };
      const others = this.#paused.get(request.queue);
      if (others === undefined) this.#paused.set(request.queue, [entry]);
      else others.push(entry);
      this.#gate.wait(this);
    });
  }

  goOn(): number | undefined {
    this.#passTime();
    // In turns, so that neither those who wait to begin nor those who have begun keep the others waiting.
    this.#resumedLast = !this.#resumedLast;
    const work = this.#resumedLast ? (this.#resumeNext() ?? this.#tryBegin()) : (this.#tryBegin() ?? this.#resumeNext());
    return work === undefined ? undefined : work / Math.max(1, this.#limit);
  }

  #tryBegin(): number | undefined {
    return this.#canBegin() ? this.#beginNext()?.work : undefined;
  }

  #resumeNext(): number | undefined {
    for (const [queue, entries] of this.#paused) {
      const next = entries.shift();
      // Queues take turns here too.
      this.#paused.delete(queue);
      if (entries.length > 0) this.#paused.set(queue, entries);
      if (next === undefined) continue;
      next.resume();
      return next.work;
    }
    return undefined;
  }

  /** The request that would be done first if all queues were served at once, each at its share. */
  #beginNext(): FlowRequest | undefined {
    let chosen: Queue | undefined;
    let finish = Infinity;
    for (const queue of this.#nonEmpty) {
      const queueFinish = queue.nextDispatchR + (oldest(queue)?.work ?? 0);
      if (queueFinish >= finish) continue;
      finish = queueFinish;
      chosen = queue;
    }
    const request = chosen === undefined ? undefined : oldest(chosen);
    if (chosen === undefined || request === undefined) return undefined;
    if (!this.#hasRoom(request.seats)) {
      request.subject.statistics.noAccommodation++;
      return undefined;
    }
    const now = this.#clock.monotonicMs();
    this.#leaveQueue(chosen, request);
    this.#serve(chosen, request, now);
    this.#noteDemand(now);
    request.started();
    return request;
  }

  #serve(queue: Queue, request: FlowRequest, now: number): void {
    this.last.dispatchR = this.#r;
    this.last.s = queue.nextDispatchR;
    queue.executing.add(request);
    queue.seatsInUse += request.seats;
    queue.nextDispatchR += request.work;
    this.#bound(queue);
    this.#begin(request, now);
  }

  #begin(request: FlowRequest, now: number): void {
    request.startedMs = now;
    this.#executing++;
    this.#seatsInUse += request.seats;
    this.totals.dispatched++;
    const { statistics } = request.subject;
    statistics.dispatched++;
    statistics.executing++;
    statistics.executingSeats += request.seats;
  }

  /** A request that is wider than the level gets it for itself. */
  #hasRoom(seats: number): boolean {
    if (this.#queuing === 'exempt') return true;
    return seats > this.#limit ? this.#executing === 0 : this.#seatsInUse + seats <= this.#limit;
  }

  /** Nobody saves up time by having asked for little: a queue begins no earlier than its oldest request came. */
  #bound(queue: Queue): void {
    const first = oldest(queue);
    if (first !== undefined && queue.nextDispatchR < first.arrivalR) queue.nextDispatchR = first.arrivalR;
  }

  #passTime(): number {
    const now = this.#clock.monotonicMs();
    if (this.#activeQueues > 0) {
      const seats = Math.min(this.#seatsInUse + this.#seatsWaiting, this.#limit);
      this.#r += ((seats / this.#activeQueues) * (now - this.#rAtMs)) / 1000;
    }
    this.#rAtMs = now;
    return now;
  }

  #noteDemand(now: number): void {
    this.demand.set(this.#seatsInUse + this.#seatsWaiting, now);
  }
}
