import type { ResourceDefinition } from '@skiff/apimachinery';
import { silentLogger, systemClock } from '@skiff/component-base';
import { createMemoryStore, type RevisionedStore } from '@skiff/storage';
import { describe, expect, it } from 'vitest';
import { defaultWindowLimits } from './event-window.ts';
import { History } from './history.ts';
import { LogFollower } from './log-follower.ts';
import type { ResourceCache } from './resource-cache.ts';
import type { ServedForm, StoredEntry } from './stored-entry.ts';
import { type UndecodableError, View } from './view.ts';
import { type Selection, type WatchFormat, WatchHub } from './watch-hub.ts';

interface Seen {
  type: string;
  name: string;
  n: number;
  revision: number;
}

/** mulberry32: the same run for the same seed. */
function random(seed: number): () => number {
  let a = seed;
  return () => {
    a = (a + 0x6d2b79f5) | 0;
    let t = Math.imul(a ^ (a >>> 15), 1 | a);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
}

const definition = { group: '', version: 'v1', plural: 'things' } as unknown as ResourceDefinition;
const serve = (value: Buffer): ServedForm => {
  const { on } = JSON.parse(value.toString()) as { on: boolean };
  return { bytes: value, metadataStart: 1, versionAt: 1, metadataEnd: 1, labels: { on: String(on) }, fields: {} };
};
const format: WatchFormat = {
  id: 'test',
  contentType: '',
  frame: (type, entry, form, revision) =>
    Buffer.from(
      `${JSON.stringify({ type, name: entry.name, n: (JSON.parse(form.bytes.toString()) as { n: number }).n, revision } satisfies Seen)}\n`,
    ),
  bookmark: () => Buffer.alloc(0),
  error: (status) => Buffer.from(`${JSON.stringify({ type: 'ERROR', name: status.reason, n: 0, revision: 0 })}\n`),
};
const everything: Selection = { id: '', namespace: '', name: '', indexedValue: undefined, matches: undefined };
const onlyOn: Selection = { ...everything, id: 'on', matches: (form) => form.labels['on'] === 'true' };
const oneNamespace: Selection = { ...everything, id: 'ns', namespace: 'a' };
const oneName: Selection = { ...everything, id: 'name', name: 'x3' };

/** What a watcher of `selection` must see of a log that starts empty. */
function expected(log: readonly LogLine[], selection: Selection, after: number): Seen[] {
  const state = new Map<string, LogLine>();
  const out: Seen[] = [];
  for (const line of log) {
    const before = state.get(line.key);
    const [namespace = '', name = ''] = line.key.split('/');
    const selected = (l: LogLine | undefined): boolean =>
      l?.n !== undefined &&
      (selection.namespace === '' || selection.namespace === namespace) &&
      (selection.name === '' || selection.name === name) &&
      (selection.matches === undefined || l.on);
    const was = selected(before);
    const is = selected(line);
    if (line.revision > after && (was || is)) {
      out.push({ type: is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED', name, n: (is ? line.n : before?.n) ?? -1, revision: line.revision });
    }
    state.set(line.key, line);
  }
  return out;
}

interface LogLine {
  key: string;
  /** undefined: deleted. */
  n: number | undefined;
  on: boolean;
  revision: number;
}

interface Fixture {
  store: RevisionedStore;
  follower: LogFollower;
  cache: ResourceCache;
  hub: WatchHub;
  history: History;
  view: View;
  stop(): Promise<void>;
}

async function start(limits = defaultWindowLimits): Promise<Fixture> {
  const store = createMemoryStore({ firstRevision: 1000 });
  const follower = new LogFollower({ root: '/r/', pageSize: 7, windowLimits: limits }, { store, clock: systemClock, log: silentLogger });
  const cache = follower.cache('/r/things/');
  const hub = new WatchHub(cache, {
    indexedField: undefined,
    failure: (e) => ({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason: (e as UndecodableError).key, code: 500 }),
    expired: () => ({ kind: 'Status', apiVersion: 'v1', metadata: {}, status: 'Failure', reason: 'Expired', code: 410 }),
  });
  const controller = new AbortController();
  const running = follower.run(controller.signal);
  await follower.waitFor(await store.currentRevision(), 5000);
  return {
    store,
    follower,
    cache,
    hub,
    history: new History(cache, follower, () => 0),
    view: new View(definition, 0, serve),
    stop: async () => {
      controller.abort();
      await running;
    },
  };
}

class Collector {
  readonly seen: Seen[] = [];
  over = false;
  readonly bookmarks = false;
  write(frames: Buffer): void {
    for (const line of frames.toString().split('\n')) if (line !== '') this.seen.push(JSON.parse(line) as Seen);
  }
  ended(): void {
    this.over = true;
  }
}

async function randomWrites(f: Fixture, rnd: () => number, log: LogLine[], count: number): Promise<void> {
  const known = new Map<string, number>();
  for (const line of log) {
    if (line.n === undefined) known.delete(line.key);
    else known.set(line.key, line.revision);
  }
  for (let i = 0; i < count; i++) {
    const key = `${rnd() < 0.5 ? 'a' : 'b'}/x${Math.floor(rnd() * 8)}`;
    const at = known.get(key) ?? 0;
    if (at > 0 && rnd() < 0.3) {
      const r = await f.store.delete(`/r/things/${key}`, { expected: at });
      if (r.outcome !== 'committed') throw new Error('lost');
      known.delete(key);
      log.push({ key, n: undefined, on: false, revision: r.revision });
    } else {
      const on = rnd() < 0.5;
      const n = log.length;
      const r = await f.store.put(`/r/things/${key}`, Buffer.from(JSON.stringify({ n, on })), { expected: at });
      if (r.outcome !== 'committed') throw new Error('lost');
      known.set(key, r.revision);
      log.push({ key, n, on, revision: r.revision });
    }
    if (rnd() < 0.2) await f.store.put(`/elsewhere/${i}-${log.length}`, Buffer.from('x'), { expected: 0 });
    if (rnd() < 0.3) await new Promise((resolve) => setImmediate(resolve));
  }
}

const content = (entries: Iterable<StoredEntry>): string[] => [...entries].map((e) => `${e.key}@${e.revision}=${e.value.toString()}`);

describe('log follower, window, hub and history against a model', () => {
  const seed = Math.floor(Math.random() * 2 ** 31);
  it(`sees every change once and in order, from any point (seed ${seed})`, async () => {
    const rnd = random(seed);
    const f = await start();
    const log: LogLine[] = [];
    const watchers: { selection: Selection; after: number; out: Collector }[] = [];
    for (let round = 0; round < 12; round++) {
      await randomWrites(f, rnd, log, 40);
      await f.follower.confirm();
      for (const selection of [everything, onlyOn, oneNamespace, oneName]) {
        // Resume from a random revision of the past: replay, then join without an await in between.
        const after = 1000 + Math.floor(rnd() * (f.follower.appliedRevision - 1000));
        const out = new Collector();
        for (const event of f.cache.window.since(after)) {
          const frame = f.hub.frameOf(event, f.view, format, selection);
          if (frame !== undefined) out.write(frame);
        }
        f.hub.join(out, f.view, format, selection);
        watchers.push({ selection, after, out });
      }
      const at = log[Math.floor(rnd() * log.length)]?.revision ?? 1000;
      const past = await f.store.list('/r/things/', { at });
      expect(content((await f.history.at(at)).range(''))).toEqual(past.entries.map((e) => `${e.key}@${e.revision}=${e.value.toString()}`));
    }
    const now = await f.store.list('/r/things/');
    expect(content(f.cache.entries.range(''))).toEqual(now.entries.map((e) => `${e.key}@${e.revision}=${e.value.toString()}`));
    for (const w of watchers) expect(w.out.seen, w.selection.id).toEqual(expected(log, w.selection, w.after));
    await f.stop();
  });

  it('ends watches and reads anew when its history is compacted away', async () => {
    const f = await start();
    const log: LogLine[] = [];
    await randomWrites(f, random(1), log, 30);
    await f.follower.confirm();
    await f.stop();
    // Nothing is followed while the store moves on and forgets.
    await randomWrites(f, random(2), log, 30);
    await f.store.compact(await f.store.currentRevision());
    const out = new Collector();
    f.hub.join(out, f.view, format, everything);
    const controller = new AbortController();
    const running = f.follower.run(controller.signal);
    expect(await f.follower.waitFor(await f.store.currentRevision(), 5000)).toBe(true);
    expect(out.over).toBe(true);
    expect(out.seen.at(-1)?.type).toBe('ERROR');
    const now = await f.store.list('/r/things/');
    expect(content(f.cache.entries.range(''))).toEqual(now.entries.map((e) => `${e.key}@${e.revision}=${e.value.toString()}`));
    expect(f.cache.window.start).toBe(f.follower.appliedRevision);
    controller.abort();
    await running;
  });

  it('keeps the window within its limits and says where it starts', async () => {
    const f = await start({ ...defaultWindowLimits, minEvents: 5, maxEvents: 10 });
    const log: LogLine[] = [];
    await randomWrites(f, random(3), log, 50);
    await f.follower.confirm();
    expect(f.cache.window.length).toBe(10);
    expect(f.cache.window.start).toBe(log.at(-11)?.revision);
    expect(f.cache.window.since(f.cache.window.start).map((e) => e.revision)).toEqual(log.slice(-10).map((l) => l.revision));
    await f.stop();
  });

  it('shares probes: one running, one queued', async () => {
    const f = await start();
    let probes = 0;
    const ask = f.store.currentRevision.bind(f.store);
    f.store.currentRevision = async () => {
      probes += 1;
      await new Promise((resolve) => setTimeout(resolve, 5));
      return await ask();
    };
    await Promise.all(Array.from({ length: 100 }, () => f.follower.confirm()));
    expect(probes).toBe(1);
    const first = f.follower.confirm();
    await new Promise((resolve) => setTimeout(resolve, 1));
    await Promise.all([first, ...Array.from({ length: 50 }, () => f.follower.confirm())]);
    expect(probes).toBe(3);
    await f.stop();
  });

  it('gives resources that are added later what is already there', async () => {
    const f = await start();
    await f.store.put('/r/late.example.com/things/a/one', Buffer.from('{}'), { expected: 0 });
    await f.follower.confirm();
    const cache = f.follower.cache('/r/late.example.com/things/');
    expect([...cache.entries.range('')].map((e) => `${e.namespace}/${e.name}`)).toEqual(['a/one']);
    await f.store.put('/r/late.example.com/things/a/two', Buffer.from('{}'), { expected: 0 });
    await f.follower.confirm();
    expect(cache.entries.size).toBe(2);
    await f.stop();
  });
});
