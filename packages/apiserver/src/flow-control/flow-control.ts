import { flowSchema, priorityLevelConfiguration } from '@skiff/api';
import { type StatusError, tooManyRequests } from '@skiff/apimachinery';
import type { Clock, Logger } from '@skiff/component-base';
import type { Lifetime, ObjectAccess, RequestInfo, UserInfo } from '../contract.ts';
import { adjustmentMs, adjustSeats } from './borrowing.ts';
import { syncDangling } from './dangling.ts';
import { type ActiveSchema, classify, digest, type DigestContext, type FlowConfiguration } from './flow-schemas.ts';
import { applyLimits, handOf } from './priority-level.ts';
import type { FlowRequest, FlowSubject } from './queue-set.ts';
import { TurnGate } from './turn-gate.ts';
import { WatchCounts } from './watch-counts.ts';
import { type EstimateDeps, estimateWork } from './work-estimate.ts';

/** A request's seats. */
export interface Ticket {
  /** Before a longer piece of work (the body is there; the answer is), so that many at once don't keep others waiting; undefined: now. */
  pause(): Promise<void> | undefined;
  /** Gives the seats back; a watch does that when it has begun. May be called again. */
  release(): void;
  /** The request is over. */
  close(): void;
}

export interface AskedSeats {
  readonly query: URLSearchParams;
  /** For how long it may wait for seats. */
  readonly waitMs: number;
  readonly lifetime: Lifetime;
}

/** Where a request belongs. */
export interface Flow {
  /** '' where the server doesn't say. */
  readonly schemaUid: string;
  readonly levelUid: string;
  /** Seats, at once or after waiting. Throws, or rejects with, TooManyRequests. */
  enter(asked: AskedSeats): Ticket | Promise<Ticket>;
}

export interface FlowControl {
  classify(user: UserInfo, info: RequestInfo): Flow;
  /** Requests that have seats. */
  count(kind: RequestKind): number;
  /** Requests that wait for them. */
  waiting(kind: RequestKind): number;
}

export type RequestKind = 'readOnly' | 'mutating';

export interface FlowControllerConfig {
  /** All requests that are not exempt share these. */
  readonly serverSeats: number;
}

export interface FlowControllerDeps {
  readonly objects: ObjectAccess;
  readonly listExtent: EstimateDeps['listExtent'];
  readonly clock: Clock;
  readonly log: Logger;
}

const readOnlyVerbs: ReadonlySet<string> = new Set(['get', 'list', 'watch', 'proxy']);
export const requestKind = (info: RequestInfo): RequestKind => (readOnlyVerbs.has(info.verb) ? 'readOnly' : 'mutating');
/** Changes that come together are read together. */
const settleMs = 50;

/** API priority and fairness (KEP-1040): who is served next, by FlowSchemas and PriorityLevelConfigurations. */
export class FlowController implements FlowControl {
  readonly #context: DigestContext;
  readonly #deps: FlowControllerDeps;
  readonly #watches = new WatchCounts();
  readonly #counts = { readOnly: 0, mutating: 0 };
  readonly #waiting = { readOnly: 0, mutating: 0 };
  #configuration: FlowConfiguration;
  /** The part of its demand that each level got at the last adjustment. */
  fairFraction = 0;

  constructor(config: FlowControllerConfig, deps: FlowControllerDeps) {
    this.#context = { ...config, clock: deps.clock, gate: new TurnGate(deps.clock) };
    this.#deps = deps;
    this.#configuration = digest({ levels: [], schemas: [] }, undefined, this.#context);
    this.#adjust();
  }

  get configuration(): FlowConfiguration {
    return this.#configuration;
  }
  count(kind: RequestKind): number {
    return this.#counts[kind];
  }
  waiting(kind: RequestKind): number {
    return this.#waiting[kind];
  }

  /** Acts upon the objects as they are in the cache now. */
  load(): void {
    const { objects } = this.#deps;
    const read = { levels: objects.list(priorityLevelConfiguration), schemas: objects.list(flowSchema) };
    this.#configuration = digest(read, this.#configuration, this.#context);
    this.#adjust();
  }

  /** Follows the objects, says in their status what is wrong with them, and lets seats move. */
  async run(signal: AbortSignal): Promise<void> {
    const { objects, clock, log } = this.#deps;
    let isChanged = true;
    let notify: () => void = () => undefined;
    const wake = (): void => {
      isChanged = true;
      notify();
    };
    using _levels = objects.subscribe(priorityLevelConfiguration, wake);
    using _schemas = objects.subscribe(flowSchema, wake);
    signal.addEventListener('abort', wake, { once: true });
    let adjusting: Disposable | undefined;
    const adjustLater = (): void => {
      adjusting = clock.after(adjustmentMs, () => {
        this.#adjust();
        adjustLater();
      });
    };
    adjustLater();
    try {
      while (!signal.aborted) {
        if (!isChanged)
          await new Promise<void>((resolve) => {
            notify = resolve;
          });
        await clock.sleep(settleMs, signal);
        isChanged = false;
        this.load();
        const again = await syncDangling(this.#configuration.dangling, { objects, clock, log });
        if (again) clock.after(1000, wake);
      }
    } catch (error) {
      if (!signal.aborted) throw error;
    } finally {
      signal.removeEventListener('abort', wake);
      adjusting?.[Symbol.dispose]();
    }
  }

  classify(user: UserInfo, info: RequestInfo): Flow {
    const schema = classify(this.#configuration, user, info);
    return {
      schemaUid: schema.uid,
      levelUid: schema.level.uid,
      enter: (asked) => this.#enter(schema, { user, info }, asked),
    };
  }

  #enter(schema: ActiveSchema, r: { user: UserInfo; info: RequestInfo }, asked: AskedSeats): Ticket | Promise<Ticket> {
    const { level, statistics } = schema;
    const { info, user } = r;
    const estimate = estimateWork(info, asked.query, level.maxSeats, {
      listExtent: this.#deps.listExtent,
      watchers: (i) => {
        const count = this.#watches.interestedIn(i);
        statistics.watchCounts.observe(count);
        return count;
      },
    });
    statistics.estimatedSeats.observe(Math.max(estimate.initialSeats, estimate.finalSeats));
    const distinguisher = schema.distinguisher === 'ByUser' ? user.name : schema.distinguisher === 'ByNamespace' ? info.namespace : '';
    const subject: FlowSubject = { schema: schema.name, distinguisher, user, info, statistics };
    const hand = level.exempt ? [] : handOf(level, `${schema.name}\0${distinguisher}`);
    const request = level.queueSet.start(subject, estimate, hand);
    if (request === undefined) throw this.#dropped(schema, 0);
    if (request.startedMs > 0) return this.#ticket(schema, request);
    return this.#wait(schema, request, asked);
  }

  #wait(schema: ActiveSchema, request: FlowRequest, asked: AskedSeats): Promise<Ticket> {
    const kind = requestKind(request.subject.info);
    const { queueSet } = schema.level;
    return new Promise((resolve, reject) => {
      const leave = (): void => {
        this.#waiting[kind]--;
        timer[Symbol.dispose]();
        asked.lifetime.signal.removeEventListener('abort', giveUp);
      };
      const giveUp = (): void => {
        leave();
        queueSet.cancel(request);
        reject(this.#dropped(schema, request.arrivedMs));
      };
      this.#waiting[kind]++;
      const timer = this.#deps.clock.after(asked.waitMs, giveUp);
      asked.lifetime.signal.addEventListener('abort', giveUp, { once: true });
      request.started = () => {
        leave();
        resolve(this.#ticket(schema, request));
      };
    });
  }

  #ticket(schema: ActiveSchema, request: FlowRequest): Ticket {
    const { level, statistics } = schema;
    const { info } = request.subject;
    if (!level.exempt) statistics.waitSeconds.true.observe((request.startedMs - request.arrivedMs) / 1000);
    this.#counts[requestKind(info)]++;
    return new SeatTicket(this.#released, { schema, request, watch: info.verb === 'watch' ? this.#watches.add(info) : undefined });
  }

  readonly #released = (schema: ActiveSchema, request: FlowRequest): void => {
    const { level, statistics } = schema;
    const { info } = request.subject;
    this.#counts[requestKind(info)]--;
    const seconds = (this.#deps.clock.monotonicMs() - request.startedMs) / 1000;
    statistics.executionSeconds[info.verb === 'watch' ? 'watch' : 'regular'].observe(seconds);
    level.queueSet.finish(request);
    if (level.quiescing && level.queueSet.idle) this.load();
  };

  /** `arrivedMs` 0: it never waited. */
  #dropped(schema: ActiveSchema, arrivedMs: number): StatusError {
    const { clock } = this.#deps;
    const { level, statistics } = schema;
    if (!level.exempt) statistics.waitSeconds.false.observe(arrivedMs === 0 ? 0 : (clock.monotonicMs() - arrivedMs) / 1000);
    level.retryAfter.dropped(clock.now());
    return tooManyRequests('Too many requests, please try again later.', level.retryAfter.seconds);
  }

  #adjust(): void {
    const { levels } = this.#configuration;
    this.fairFraction = adjustSeats(levels.values(), this.#deps.clock.monotonicMs());
    for (const level of levels.values()) applyLimits(level);
  }
}

/** A class for the sake of speed: every request has one, and closures would be made anew for each. */
class SeatTicket implements Ticket {
  readonly #released: (schema: ActiveSchema, request: FlowRequest) => void;
  readonly #schema: ActiveSchema;
  readonly #request: FlowRequest;
  readonly #watch: Disposable | undefined;
  #held = true;

  constructor(
    released: (schema: ActiveSchema, request: FlowRequest) => void,
    held: { schema: ActiveSchema; request: FlowRequest; watch: Disposable | undefined },
  ) {
    this.#released = released;
    this.#schema = held.schema;
    this.#request = held.request;
    this.#watch = held.watch;
  }

  pause(): Promise<void> | undefined {
    return this.#schema.level.queueSet.pause(this.#request);
  }

  release(): void {
    if (!this.#held) return;
    this.#held = false;
    this.#released(this.#schema, this.#request);
  }

  close(): void {
    this.release();
    this.#watch?.[Symbol.dispose]();
  }
}
