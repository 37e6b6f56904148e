import type { PriorityLevelConfigurationSpec } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Clock } from '@skiff/component-base';
import { QueueSet, type Queuing } from './queue-set.ts';
import { RetryAfter } from './retry-after.ts';
import type { TurnGate } from './turn-gate.ts';
import { dealHand, maxHashBits, requiredEntropyBits } from './shuffle-shard.ts';

export type LevelSpec = DeepReadonly<PriorityLevelConfigurationSpec>;

/** Flows whose hands are remembered; a hand costs a hash and long divisions. */
const rememberedHands = 4096;
const noHand: readonly number[] = [];

/** A priority level at work. Outlives its object until its last request is gone. */
export interface PriorityLevel {
  readonly name: string;
  uid: string;
  spec: LevelSpec;
  readonly exempt: boolean;
  readonly queueSet: QueueSet;
  readonly retryAfter: RetryAfter;
  /** Its object is gone: no new requests, and away when idle. */
  quiescing: boolean;
  /** Seats: what is configured, between what it may move, and what it has now. */
  nominal: number;
  min: number;
  max: number;
  current: number;
  /** How wide one request may be. */
  maxSeats: number;
  demand: { average: number; deviation: number; highWatermark: number; smoothed: number; target: number };
  hands: Map<string, readonly number[]>;
}

/** What a spec says of waiting; undefined: it is broken and counts as not there. */
export function queuingOf(name: string, spec: LevelSpec): Queuing | undefined {
  if ((spec.type === 'Exempt') !== (name === 'exempt')) return undefined;
  if (spec.type === 'Exempt') return 'exempt';
  const response = spec.limited?.limitResponse;
  if (spec.type !== 'Limited' || response === undefined) return undefined;
  if (response.type === 'Reject') return 'reject';
  const { queues = 0, handSize = 0, queueLengthLimit = 0 } = response.queuing ?? {};
  if (queues <= 0 || handSize <= 0 || handSize > queues || requiredEntropyBits(queues, handSize) > maxHashBits) return undefined;
  return { queues, queueLengthLimit };
}

export function createPriorityLevel(
  name: string,
  spec: LevelSpec,
  deps: { queuing: Queuing; clock: Clock; gate: TurnGate },
): PriorityLevel {
  return {
    name,
    uid: '',
    spec,
    exempt: spec.type === 'Exempt',
    queueSet: new QueueSet(deps.queuing, deps),
    retryAfter: new RetryAfter(),
    quiescing: false,
    nominal: 0,
    min: 0,
    max: 0,
    current: 0,
    maxSeats: Infinity,
    demand: { average: 0, deviation: 0, highWatermark: 0, smoothed: 0, target: 0 },
    hands: new Map(),
  };
}

export const sharesOf = (spec: LevelSpec): number =>
  (spec.type === 'Exempt' ? spec.exempt?.nominalConcurrencyShares : (spec.limited?.nominalConcurrencyShares ?? 30)) ?? 0;

/** Divides the server's seats by shares; nominal limits are rounded up, so that nobody gets none. */
export function setNominalSeats(levels: Iterable<PriorityLevel>, serverSeats: number): void {
  const all = [...levels];
  const shareSum = all.reduce((sum, l) => sum + sharesOf(l.spec), 0);
  for (const level of all) {
    const part = level.exempt ? level.spec.exempt : level.spec.limited;
    const nominal = shareSum === 0 ? 0 : Math.ceil((serverSeats * sharesOf(level.spec)) / shareSum);
    const lendable = Math.round((nominal * (part?.lendablePercent ?? 0)) / 100);
    const borrowPercent = level.exempt ? undefined : level.spec.limited?.borrowingLimitPercent;
    const borrowable = borrowPercent === undefined ? serverSeats : Math.round((nominal * borrowPercent) / 100);
    if (level.nominal === 0 && level.current === 0) level.current = nominal - Math.floor(lendable / 2);
    level.nominal = nominal;
    level.min = nominal - lendable;
    level.max = nominal + borrowable;
    const handSize = level.spec.limited?.limitResponse?.queuing?.handSize;
    // A sixth of the level or so, so that one request can't be all of it.
    level.maxSeats =
      handSize === undefined ? Infinity : Math.max(1, Math.min(Math.ceil(nominal * 0.15), Math.floor(nominal / Math.max(1, handSize))));
  }
}

/** The queues of a flow at this level. */
export function handOf(level: PriorityLevel, flow: string): readonly number[] {
  const queuing = level.spec.limited?.limitResponse?.queuing;
  if (queuing === undefined || level.exempt) return noHand;
  let hand = level.hands.get(flow);
  if (hand === undefined) {
    if (level.hands.size >= rememberedHands) level.hands.clear();
    hand = dealHand(flow, queuing.queues ?? 1, queuing.handSize ?? 1);
    level.hands.set(flow, hand);
  }
  return hand;
}

/** Lets its queues have what it has now; those that wait may begin. */
export function applyLimits(level: PriorityLevel): void {
  const queuing = queuingOf(level.name, level.spec);
  if (queuing !== undefined) level.queueSet.configure(queuing, level.current);
}
