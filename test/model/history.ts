import type { Change, Entry, Revision } from '@skiff/storage';

/** What a watcher saw from one list on: everything in (from, to]. */
export interface Segment {
  readonly watcher: string;
  readonly from: Revision;
  readonly listed: readonly Entry[];
  readonly changes: Change[];
  to: Revision;
}

export interface CommittedWrite {
  readonly type: 'put' | 'delete';
  readonly key: string;
  readonly value: string | undefined;
  readonly revision: Revision;
}

/** A read and when it was true. */
export interface ReadResult {
  readonly key: string;
  readonly entry: Entry | undefined;
  readonly revision: Revision;
}

/** All that happened in a run, as those who took part saw it. */
export class History {
  readonly segments: Segment[] = [];
  readonly committed: CommittedWrite[] = [];
  readonly reads: ReadResult[] = [];
  /** Values of puts that were refused or lost: none of them may ever be seen. */
  readonly neverWritten = new Set<string>();
  /** Values of puts with an unknown outcome: each may be seen once. */
  readonly perhapsWritten = new Set<string>();
  readonly counts: Record<string, number> = {};

  count(what: string): void {
    this.counts[what] = (this.counts[what] ?? 0) + 1;
  }
}

const same = (a: Entry | undefined, b: Entry | undefined): boolean =>
  a === undefined || b === undefined ? a === b : a.key === b.key && a.revision === b.revision && a.value.equals(b.value);

const show = (change: Change | undefined): string =>
  change === undefined ? 'nothing' : `${change.type} ${change.key} @${change.revision} = ${change.value?.toString() ?? ''}`;

/** What is wrong with a history; empty = nothing. */
export function findFaults(history: History): string[] {
  const truth = new Map<Revision, Change[]>();
  return [
    ...history.segments.flatMap(findFaultsWithin),
    ...findDisagreements(history, truth),
    ...findGaps(history, truth),
    ...findFalseAnswers(history, truth),
    ...findFalseReads(history),
  ];
}

/** Order, no repeats, and an unbroken chain of previous values from the list on: a change left out would break it. */
function findFaultsWithin(segment: Segment): string[] {
  const faults: string[] = [];
  const state = new Map(segment.listed.map((entry) => [entry.key, entry]));
  for (const entry of segment.listed) {
    if (entry.revision > segment.from) faults.push(`${segment.watcher}: list at ${segment.from} has ${entry.key} @${entry.revision}`);
  }
  let last = segment.from;
  for (const change of segment.changes) {
    if (change.revision < last || (change.revision === last && last === segment.from)) {
      faults.push(`${segment.watcher}: ${show(change)} came after revision ${last}`);
    }
    last = change.revision;
    if (!same(state.get(change.key), change.previous)) {
      faults.push(
        `${segment.watcher}: ${show(change)} follows @${change.previous?.revision}, known was @${state.get(change.key)?.revision}`,
      );
    }
    if (change.type === 'delete') state.delete(change.key);
    else state.set(change.key, { key: change.key, value: change.value as Buffer, revision: change.revision });
  }
  if (segment.to < last) faults.push(`${segment.watcher}: applied ${segment.to} is behind ${last}`);
  return faults;
}

function findDisagreements(history: History, truth: Map<Revision, Change[]>): string[] {
  const faults: string[] = [];
  for (const segment of history.segments) {
    for (const change of segment.changes) {
      const known = truth.get(change.revision) ?? [];
      const twin = known.find((c) => c.key === change.key);
      if (twin === undefined) truth.set(change.revision, [...known, change]);
      else if (twin.type !== change.type || show(twin) !== show(change)) faults.push(`${show(change)} is also ${show(twin)}`);
    }
  }
  return faults;
}

/** What anybody saw, everybody must have seen who says to have got that far. */
function findGaps(history: History, truth: ReadonlyMap<Revision, readonly Change[]>): string[] {
  const all = [...truth.values()].flat().map((c) => ({ what: c.type, key: c.key, revision: c.revision }));
  const acknowledged = history.committed.map((w) => ({ what: `acknowledged ${w.type}`, key: w.key, revision: w.revision }));
  const sorted = [...all, ...acknowledged].sort((a, b) => a.revision - b.revision);
  return history.segments.flatMap((segment) => {
    const seen = new Set(segment.changes.map((c) => `${c.revision} ${c.key}`));
    return sorted
      .slice(firstAbove(sorted, segment.from), firstAbove(sorted, segment.to))
      .filter((change) => !seen.has(`${change.revision} ${change.key}`))
      .map((change) => `${segment.watcher}: (${segment.from}, ${segment.to}] misses ${change.what} ${change.key} @${change.revision}`);
  });
}

/** Index of the first element with a revision above `revision`. */
function firstAbove(sorted: readonly { readonly revision: Revision }[], revision: Revision): number {
  let low = 0;
  let high = sorted.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((sorted[middle]?.revision ?? 0) > revision) high = middle;
    else low = middle + 1;
  }
  return low;
}

/** What writers were told, against what was seen. */
function findFalseAnswers(history: History, truth: ReadonlyMap<Revision, readonly Change[]>): string[] {
  const faults: string[] = [];
  for (const write of history.committed) {
    const seen = truth.get(write.revision)?.find((c) => c.key === write.key);
    if (seen !== undefined && (seen.type !== write.type || seen.value?.toString() !== write.value)) {
      faults.push(`acknowledged ${write.type} ${write.key} @${write.revision} was seen as ${show(seen)}`);
    }
  }
  const acknowledged = new Map(history.committed.filter((w) => w.type === 'put').map((w) => [w.value, w.revision]));
  for (const change of [...truth.values()].flat()) {
    const value = change.value?.toString();
    if (value === undefined) continue;
    if (history.neverWritten.has(value)) faults.push(`${show(change)} was answered as not done`);
    else if (acknowledged.get(value) !== change.revision && !history.perhapsWritten.has(value))
      faults.push(`${show(change)} was written by nobody`);
  }
  return faults;
}

/** A read must give the key's last change at or below its revision. Checked where one watcher saw all of it. */
function findFalseReads(history: History): string[] {
  const faults: string[] = [];
  const byKey = new Map(history.segments.map((segment) => [segment, groupByKey(segment.changes)]));
  for (const read of history.reads) {
    const segment = history.segments.find((s) => s.from <= read.revision && read.revision <= s.to);
    if (segment === undefined) continue;
    const changes = byKey.get(segment)?.get(read.key) ?? [];
    const change = changes[firstAbove(changes, read.revision) - 1];
    const listed = segment.listed.find((e) => e.key === read.key)?.revision;
    const expected = change === undefined ? listed : change.type === 'put' ? change.revision : undefined;
    if (read.entry?.revision !== expected)
      faults.push(`read of ${read.key} at ${read.revision} gave @${read.entry?.revision}, it was @${expected}`);
  }
  return faults;
}

function groupByKey(changes: readonly Change[]): Map<string, Change[]> {
  const groups = new Map<string, Change[]>();
  for (const change of changes) {
    const group = groups.get(change.key);
    if (group === undefined) groups.set(change.key, [change]);
    else group.push(change);
  }
  return groups;
}
