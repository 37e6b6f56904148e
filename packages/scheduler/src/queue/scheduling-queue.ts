import type { Clock } from '@skiff/component-base';
import { hintApplies, type ClusterEvent } from '../framework/cluster-event.ts';
import type { Diagnosis } from '../framework/diagnosis.ts';
import { podChanges } from '../framework/node-change.ts';
import type { PodInfo } from '../framework/pod-info.ts';
import type { Profile } from '../framework/profile.ts';
import { isRejection } from '../framework/verdict.ts';
import { Heap } from './heap.ts';

/*
 *            add                pop                    bound, deleted
 *   (new) ─────────▶ active ───────────▶ in flight ─────────────────▶ (gone)
 *     │                ▲  ▲                  │
 *     │ gate           │  └── backoff ◀──────┤ failed with an error, or an event since `pop` may help
 *     ▼                │         ▲           │
 *   gated ─────────────┤         │ event     │ turned away
 *     event, no gate   └──── unschedulable ◀─┘
 */
type Place = 'active' | 'backoff' | 'unschedulable' | 'gated' | 'in-flight' | 'gone';

export interface QueuedPod {
  info: PodInfo;
  attempts: number;
  readonly addedMs: number;
  /** When it came to where it is. */
  sinceMs: number;
  /** Plugins that turned it away, whose hints can bring it back. Empty: any event does. */
  rejectedBy: ReadonlySet<string>;
  /** The answer to "why is it pending?". */
  lastDiagnosis: Diagnosis | undefined;
  place: Place;
}

export interface SchedulingQueueConfig {
  readonly initialBackoffMs?: number;
  readonly maxBackoffMs?: number;
  /** After this long without any event that helps, a pod is tried all the same. */
  readonly maxUnschedulableMs?: number;
}

interface HeapItem {
  readonly entry: QueuedPod;
  /** Ties in order of arrival, and a sign whether the entry has moved since it was put here. */
  readonly sequence: number;
  readonly dueMs: number;
}

const flushPeriodMs = 30_000;

/** Pods that wait for a node, by priority, each with what it waits for. Not a timer of its own beyond the next back-off. */
export class SchedulingQueue {
  readonly #profile: Profile;
  readonly #clock: Clock;
  readonly #initialBackoffMs: number;
  readonly #maxBackoffMs: number;
  readonly #maxUnschedulableMs: number;
  readonly #entries = new Map<string, QueuedPod>();
  readonly #sequences = new Map<QueuedPod, number>();
  readonly #active = new Heap<HeapItem>(
    (a, b) => a.entry.info.priority > b.entry.info.priority || (a.entry.info.priority === b.entry.info.priority && a.sequence < b.sequence),
  );
  readonly #backoff = new Heap<HeapItem>((a, b) => a.dueMs < b.dueMs || (a.dueMs === b.dueMs && a.sequence < b.sequence));
  /** uid → how many events there had been when the pod was popped. */
  readonly #inFlight = new Map<string, number>();
  #events: { readonly number: number; readonly event: ClusterEvent }[] = [];
  #eventCount = 0;
  #nextSequence = 0;
  #backoffTimer: Disposable | undefined;
  #flushTimer: Disposable | undefined;
  #wake: (() => void) | undefined;

  constructor(profile: Profile, clock: Clock, config: SchedulingQueueConfig = {}) {
    this.#profile = profile;
    this.#clock = clock;
    this.#initialBackoffMs = config.initialBackoffMs ?? 1_000;
    this.#maxBackoffMs = config.maxBackoffMs ?? 10_000;
    this.#maxUnschedulableMs = config.maxUnschedulableMs ?? 300_000;
  }

  add(info: PodInfo): void {
    if (this.#entries.has(info.uid)) return this.update(info);
    const nowMs = this.#clock.now();
    const entry: QueuedPod = {
      info,
      attempts: 0,
      addedMs: nowMs,
      sinceMs: nowMs,
      rejectedBy: new Set(),
      lastDiagnosis: undefined,
      place: 'gated',
    };
    this.#entries.set(info.uid, entry);
    this.#enter(entry);
  }

  /** A changed pod. It may now be without gates, tolerate more, ask for less. */
  update(info: PodInfo): void {
    const entry = this.#entries.get(info.uid);
    if (entry === undefined) return this.add(info);
    const actions = podChanges(entry.info.pod, info.pod);
    const event: ClusterEvent = { resource: 'UnscheduledPod', actions, old: entry.info.pod, new: info.pod };
    entry.info = info;
    if (entry.place === 'in-flight') this.#remember(event);
    else if (entry.place === 'gated' || (entry.place === 'unschedulable' && this.#mayHelp(entry, event))) this.#enter(entry);
  }

  delete(uid: string): void {
    const entry = this.#entries.get(uid);
    if (entry === undefined) return;
    entry.place = 'gone';
    this.#entries.delete(uid);
    this.#sequences.delete(entry);
    this.#landed(uid);
  }

  get(uid: string): QueuedPod | undefined {
    return this.#entries.get(uid);
  }

  /** The next pod to place. It stays in flight until `requeue` or `delete`. */
  pop(): QueuedPod | undefined {
    for (let item = this.#active.pop(); item !== undefined; item = this.#active.pop()) {
      const { entry } = item;
      if (entry.place !== 'active' || this.#sequences.get(entry) !== item.sequence) continue;
      entry.place = 'in-flight';
      entry.attempts++;
      this.#inFlight.set(entry.info.uid, this.#eventCount);
      return entry;
    }
    return undefined;
  }

  /** Waits until `pop` may have something. */
  async ready(signal: AbortSignal): Promise<void> {
    if (this.#active.size > 0 || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        signal.removeEventListener('abort', wake);
        this.#wake = undefined;
        resolve();
      };
      this.#wake = wake;
      signal.addEventListener('abort', wake, { once: true });
    });
  }

  /** Back into the queue: after an error behind a back-off; when turned away, until something happens that may help. */
  requeue(entry: QueuedPod, why: { readonly rejectedBy: ReadonlySet<string> } | 'error'): void {
    if (entry.place !== 'in-flight') return;
    const poppedAt = this.#inFlight.get(entry.info.uid) ?? 0;
    const missed = this.#events.filter((e) => e.number > poppedAt);
    this.#landed(entry.info.uid);
    entry.sinceMs = this.#clock.now();
    entry.rejectedBy = why === 'error' ? new Set() : why.rejectedBy;
    if (why === 'error' || missed.some(({ event }) => this.#mayHelp(entry, event))) this.#enter(entry);
    else {
      entry.place = 'unschedulable';
      this.#scheduleFlush();
    }
  }

  /** Something happened: whom may it help? */
  event(event: ClusterEvent): void {
    this.#remember(event);
    for (const entry of this.#entries.values()) {
      if (entry.place === 'gated' || entry.place === 'unschedulable') {
        if (this.#mayHelp(entry, event)) this.#enter(entry);
      }
    }
  }

  /** How many pods are where. */
  counts(): Readonly<Record<'active' | 'backoff' | 'unschedulable' | 'gated', number>> {
    const counts = { active: 0, backoff: 0, unschedulable: 0, gated: 0 };
    for (const { place } of this.#entries.values()) if (place in counts) counts[place as keyof typeof counts]++;
    return counts;
  }

  close(): void {
    this.#backoffTimer?.[Symbol.dispose]();
    this.#flushTimer?.[Symbol.dispose]();
  }

  #mayHelp(entry: QueuedPod, event: ClusterEvent): boolean {
    if (entry.rejectedBy.size === 0) return true;
    for (const name of entry.rejectedBy) {
      const hints = this.#profile.plugins.get(name)?.requeueOn;
      if (hints?.some((hint) => hintApplies(hint, entry.info, event)) === true) return true;
    }
    return false;
  }

  /** To where it can be popped: now, or when its back-off is over. Gates come first. */
  #enter(entry: QueuedPod): void {
    for (const plugin of this.#profile.preEnqueue) {
      if (!isRejection(plugin.preEnqueue(entry.info))) continue;
      entry.place = 'gated';
      entry.rejectedBy = new Set([plugin.name]);
      return;
    }
    const dueMs = entry.sinceMs + this.#backoffMs(entry.attempts);
    const sequence = this.#nextSequence++;
    this.#sequences.set(entry, sequence);
    if (entry.attempts > 0 && dueMs > this.#clock.now()) {
      entry.place = 'backoff';
      this.#backoff.push({ entry, sequence, dueMs });
      this.#scheduleBackoff();
      return;
    }
    this.#activate({ entry, sequence, dueMs });
  }

  #activate(item: HeapItem): void {
    item.entry.place = 'active';
    item.entry.sinceMs = this.#clock.now();
    this.#active.push(item);
    this.#wake?.();
  }

  #backoffMs(attempts: number): number {
    return attempts === 0 ? 0 : Math.min(this.#initialBackoffMs * 2 ** (attempts - 1), this.#maxBackoffMs);
  }

  #scheduleBackoff(): void {
    this.#backoffTimer?.[Symbol.dispose]();
    const next = this.#backoff.peek();
    this.#backoffTimer = next && this.#clock.after(Math.max(0, next.dueMs - this.#clock.now()), () => this.#releaseBackoff());
  }

  #releaseBackoff(): void {
    for (let item = this.#backoff.peek(); item !== undefined && item.dueMs <= this.#clock.now(); item = this.#backoff.peek()) {
      this.#backoff.pop();
      if (item.entry.place === 'backoff' && this.#sequences.get(item.entry) === item.sequence) this.#activate(item);
    }
    this.#scheduleBackoff();
  }

  #scheduleFlush(): void {
    this.#flushTimer ??= this.#clock.after(flushPeriodMs, () => {
      this.#flushTimer = undefined;
      const oldMs = this.#clock.now() - this.#maxUnschedulableMs;
      let isLeft = false;
      for (const entry of this.#entries.values()) {
        if (entry.place !== 'unschedulable') continue;
        if (entry.sinceMs <= oldMs) this.#enter(entry);
        else isLeft = true;
      }
      if (isLeft) this.#scheduleFlush();
    });
  }

  #remember(event: ClusterEvent): void {
    this.#eventCount++;
    if (this.#inFlight.size > 0) this.#events.push({ number: this.#eventCount, event });
  }

  #landed(uid: string): void {
    if (!this.#inFlight.delete(uid)) return;
    if (this.#inFlight.size === 0) this.#events = [];
    else if (this.#events.length > 1000) {
      const oldest = Math.min(...this.#inFlight.values());
      this.#events = this.#events.filter((e) => e.number > oldest);
    }
  }
}
