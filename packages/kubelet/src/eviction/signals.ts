import { newQuantity, parseQuantity, quantitySign, quantityValue, QuantityError } from '@skiff/apimachinery';
import { FlagError, parseDuration } from '@skiff/component-base';

/** What pressure is measured by; upstream's names. */
export const signals = [
  'memory.available',
  'allocatableMemory.available',
  'nodefs.available',
  'nodefs.inodesFree',
  'imagefs.available',
  'imagefs.inodesFree',
  'containerfs.available',
  'containerfs.inodesFree',
  'pid.available',
] as const;
export type Signal = (typeof signals)[number];
export type PressureCondition = 'MemoryPressure' | 'DiskPressure' | 'PIDPressure';
export type StarvedResource = 'memory' | 'ephemeral-storage' | 'inodes' | 'pids';

export const conditionOf = (signal: Signal): PressureCondition =>
  signal === 'pid.available' ? 'PIDPressure' : isMemorySignal(signal) ? 'MemoryPressure' : 'DiskPressure';

export const resourceOf = (signal: Signal): StarvedResource =>
  signal === 'pid.available' ? 'pids' : isMemorySignal(signal) ? 'memory' : signal.endsWith('.inodesFree') ? 'inodes' : 'ephemeral-storage';

export const isMemorySignal = (signal: Signal): boolean => signal === 'memory.available' || signal === 'allocatableMemory.available';

/** An amount, or a share (0 to 1) of the capacity, with `atMost` never more than so much. */
export type Amount = { readonly quantity: string } | { readonly share: number; readonly atMost?: number };

export interface Threshold {
  readonly signal: Signal;
  readonly value: Amount;
  /** 0: hard, pods get one second; else soft, pods get what the configuration leaves them. */
  readonly graceMs: number;
  readonly minReclaim?: Amount;
}

export const isHard = (t: Threshold): boolean => t.graceMs === 0;

/** In bytes, inodes or processes. */
export const amountOf = (a: Amount, capacity: number): number =>
  'share' in a ? Math.floor(Math.min(capacity * a.share, a.atMost ?? Infinity)) : quantityValue(a.quantity);

export const quantityOr0 = (text: string | undefined): number => (text === undefined ? 0 : quantityValue(text));

/** As upstream prints it: sizes with binary suffixes. */
export const formatAmount = (value: number, resource: StarvedResource): string =>
  newQuantity(Math.max(0, Math.floor(value)), resource === 'inodes' || resource === 'pids' ? 'DecimalSI' : 'BinarySI');

export interface EvictionSettings {
  /** Absent: `defaultThresholds`. */
  readonly hard?: Readonly<Record<string, string>>;
  readonly soft: Readonly<Record<string, string>>;
  /** Durations in Go's syntax. */
  readonly softGracePeriod: Readonly<Record<string, string>>;
  readonly minimumReclaim: Readonly<Record<string, string>>;
}

const gib = 1024 ** 3;

/**
 * Upstream's thresholds. Those for disks are held to amounts that make sense on large ones too: a tenth of a big disk that is its
 * user's as well is no shortage.
 */
export const defaultThresholds: readonly Threshold[] = [
  { signal: 'memory.available', value: { quantity: '100Mi' }, graceMs: 0 },
  { signal: 'nodefs.available', value: { share: 0.1, atMost: 10 * gib }, graceMs: 0 },
  { signal: 'nodefs.inodesFree', value: { share: 0.05 }, graceMs: 0 },
  { signal: 'imagefs.available', value: { share: 0.15, atMost: 15 * gib }, graceMs: 0 },
  { signal: 'imagefs.inodesFree', value: { share: 0.05 }, graceMs: 0 },
];

function signalNamed(name: string): Signal {
  const signal = signals.find((s) => s === name);
  if (signal === undefined) throw new FlagError(`unsupported eviction signal ${name}`);
  return signal;
}

const percentage = (text: string): number | undefined => {
  const match = /^([+-]?\d+(?:\.\d*)?|\.\d+)%$/.exec(text);
  return match === null ? undefined : Number(match[1]) / 100;
};

function amount(text: string): string {
  try {
    parseQuantity(text);
    return text;
  } catch (error) {
    if (error instanceof QuantityError)
      throw new FlagError(`eviction thresholds are quantities or percentages, not "${text}": ${error.message}`);
    throw error;
  }
}

/** undefined: the threshold is to be ignored (0 % and 100 % switch it off). */
function parseValue(signal: Signal, text: string): Amount | undefined {
  if (text.endsWith('%')) {
    const share = percentage(text);
    if (share === undefined) throw new FlagError(`eviction percentage threshold ${signal} is not a number: ${text}`);
    if (share === 0 || share === 1) return undefined;
    if (share < 0) throw new FlagError(`eviction percentage threshold ${signal} must be >= 0%: ${text}`);
    if (share > 1) throw new FlagError(`eviction percentage threshold ${signal} must be <= 100%: ${text}`);
    return { share };
  }
  const quantity = amount(text);
  if (quantitySign(quantity) <= 0) throw new FlagError(`eviction threshold ${signal} must be positive: ${text}`);
  return { quantity };
}

function parseReclaim(signal: Signal, text: string): Amount {
  if (text.endsWith('%')) {
    const share = percentage(text);
    if (share === undefined || share <= 0) throw new FlagError(`eviction percentage minimum reclaim ${signal} must be positive: ${text}`);
    return { share };
  }
  const quantity = amount(text);
  if (quantitySign(quantity) < 0) throw new FlagError(`negative eviction minimum reclaim specified for ${signal}`);
  return { quantity };
}

/** Thresholds of a configuration, hard ones first. Throws FlagError with upstream's texts. */
export function parseThresholds(o: EvictionSettings): readonly Threshold[] {
  const periods = new Map(
    Object.entries(o.softGracePeriod).map(([name, text]) => {
      const ms = parseDuration(text);
      if (ms === undefined) throw new FlagError(`eviction grace period of ${name} is no duration: ${text}`);
      if (ms < 0) throw new FlagError(`invalid eviction grace period specified: ${text}, must be a positive value`);
      return [signalNamed(name), ms] as const;
    }),
  );
  const reclaims = new Map(
    Object.entries(o.minimumReclaim).map(([name, text]) => [signalNamed(name), parseReclaim(signalNamed(name), text)]),
  );
  const make = (name: string, text: string, graceMs: number): Threshold[] => {
    const signal = signalNamed(name);
    const value = parseValue(signal, text);
    return value === undefined ? [] : [reclaiming({ signal, value, graceMs })];
  };
  const reclaiming = (t: Threshold): Threshold => {
    const minReclaim = reclaims.get(t.signal);
    return minReclaim === undefined ? t : { ...t, minReclaim };
  };
  const hard =
    o.hard === undefined ? defaultThresholds.map(reclaiming) : Object.entries(o.hard).flatMap(([name, text]) => make(name, text, 0));
  const soft = Object.entries(o.soft).flatMap(([name, text]) => {
    const graceMs = periods.get(signalNamed(name));
    if (graceMs === undefined) throw new FlagError(`grace period must be specified for the soft eviction threshold ${name}`);
    return make(name, text, graceMs);
  });
  return [...hard, ...soft];
}
