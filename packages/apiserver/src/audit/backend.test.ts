import { mkdtemp, readdir, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock, silentLogger } from '@skiff/component-base';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type AuditOutput, createAuditBackend } from './backend.ts';
import type { AuditBackendConfig } from './config.ts';
import type { AuditEvent } from './event.ts';
import { openLogFile } from './log-file.ts';

const event = (name: string, size = 0): AuditEvent => ({
  json: JSON.stringify({ name, filler: 'x'.repeat(size) }),
  auditId: name,
  withoutObjects: () => JSON.stringify({ name, short: true }),
});
const config = (o: Partial<AuditBackendConfig> = {}): AuditBackendConfig => ({
  mode: 'batch',
  batch: { bufferSize: 5, maxSize: 3, maxWaitMs: 1000, throttle: undefined },
  truncate: undefined,
  ...o,
});

function start(o: Partial<AuditBackendConfig>, write: AuditOutput['write']) {
  const clock = new FakeClock();
  const lost: number[] = [];
  const backend = createAuditBackend(config(o), {
    output: { name: 'webhook', write, close: () => Promise.resolve() },
    counts: { lost: (_, n) => lost.push(n) },
    clock,
    log: silentLogger,
  });
  const stop = new AbortController();
  const running = backend.run(stop.signal);
  const end = async (): Promise<void> => {
    stop.abort();
    await running;
  };
  return { backend, clock, lost, end };
}
const names = (events: readonly AuditEvent[]): string => events.map((e) => e.auditId).join('');

describe('audit back end', () => {
  it('sends full batches at once, others when they have waited, and the rest at the end', async () => {
    const sent: string[] = [];
    const { backend, clock, end } = start({}, (events) => void sent.push(names(events)));
    for (const n of 'abcd') expect(backend.process(event(n))).toBe(true);
    await clock.advance(0);
    expect(sent).toEqual(['abc']);
    await clock.advance(1000);
    expect(sent).toEqual(['abc', 'd']);
    void backend.process(event('e'));
    await end();
    expect(sent).toEqual(['abc', 'd', 'e']);
  });

  it('drops what has no room while a receiver hangs, and never waits for it', async () => {
    const hanging: (() => void)[] = [];
    const { backend, clock, lost, end } = start({ batch: { bufferSize: 5, maxSize: 1, maxWaitMs: 0, throttle: undefined } }, async () => {
      await new Promise<void>((resolve) => hanging.push(resolve));
    });
    for (let i = 0; i < 20; i++) {
      expect(backend.process(event(String(i)))).toBe(true);
      await clock.advance(1);
    }
    expect(hanging).toHaveLength(4);
    expect(lost).toHaveLength(11);
    const ended = end();
    while (hanging.length > 0) {
      hanging.shift()?.();
      await clock.advance(1);
    }
    await ended;
  });

  it('gives up at the end after some seconds', async () => {
    const { backend, clock, lost, end } = start(
      {},
      (_, signal) => new Promise((_resolve, reject) => signal?.addEventListener('abort', () => reject(new Error('aborted')))),
    );
    void backend.process(event('a'));
    const ended = end();
    await clock.advance(0);
    await clock.advance(5000);
    await ended;
    expect(lost).toEqual([1]);
  });

  it('throttles', async () => {
    const sent: string[] = [];
    const { backend, clock, end } = start(
      { batch: { bufferSize: 50, maxSize: 1, maxWaitMs: 0, throttle: { qps: 10, burst: 2 } } },
      (events) => void sent.push(names(events)),
    );
    for (const n of 'abcde') void backend.process(event(n));
    await clock.advance(0);
    expect(sent.join('')).toBe('ab');
    await clock.advance(100);
    expect(sent.join('')).toBe('abc');
    await end();
    expect(sent.join('')).toBe('abcde');
  });

  it.each([
    ['blocking', true],
    ['blocking-strict', false],
  ] as const)('%s: an event that is lost answers %s', async (mode, good) => {
    const { backend, lost, end } = start({ mode }, () => Promise.reject(new Error('no')));
    expect(await backend.process(event('a'))).toBe(good);
    expect(lost).toEqual([1]);
    await end();
  });

  it('leaves objects out of large events, and drops what is still too large', async () => {
    const sent: string[] = [];
    const { backend, lost, end } = start({ mode: 'blocking', truncate: { maxEventBytes: 100, maxBatchBytes: 200 } }, (events) => {
      sent.push(...events.map((e) => e.json));
    });
    await backend.process(event('a', 50));
    await backend.process(event('b', 500));
    await backend.process(event('c'.repeat(200)));
    await end();
    expect(sent.map((json) => JSON.parse(json) as unknown)).toEqual([
      { name: 'a', filler: 'x'.repeat(50) },
      { name: 'b', short: true },
    ]);
    expect(lost).toEqual([1]);
  });
});

describe('audit log file', () => {
  let folder: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'skiff-audit-'));
  });
  afterEach(() => rm(folder, { recursive: true }));
  const open = (clock: FakeClock, o: { compress?: boolean; maxBackups?: number; maxAgeDays?: number } = {}) =>
    openLogFile(
      { path: join(folder, 'logs', 'audit.log'), maxAgeDays: 0, maxBackups: 2, maxSizeMegabytes: 1, compress: false, ...o },
      { clock, log: silentLogger },
    );
  const half = `${'x'.repeat(600_000)}\n`;

  it('is private, goes on after a restart, and is put aside when it is large', async () => {
    const clock = new FakeClock();
    const first = open(clock);
    first.write('one\n');
    await first.close();
    const file = open(clock);
    file.write('two\n');
    expect(await readFile(join(folder, 'logs', 'audit.log'), 'utf8')).toBe('one\ntwo\n');
    expect((await stat(join(folder, 'logs', 'audit.log'))).mode & 0o777).toBe(0o600);
    expect((await stat(join(folder, 'logs'))).mode & 0o777).toBe(0o700);
    for (let i = 0; i < 8; i++) file.write(half);
    await file.close();
    const found = (await readdir(join(folder, 'logs'))).sort();
    expect(found).toHaveLength(3);
    expect(found[0]).toMatch(/^audit-\d{4}-\d\d-\d\dT\d\d-\d\d-\d\d\.\d{3}\.log$/);
    expect(() => file.write('late')).toThrow('closed');
  });

  it('compresses old files and deletes those that are too old', async () => {
    const clock = new FakeClock();
    const file = open(clock, { compress: true, maxBackups: 0, maxAgeDays: 1 });
    file.write(half);
    file.write(half);
    await clock.advance(2 * 86_400_000);
    file.write(half);
    await file.close();
    const found = (await readdir(join(folder, 'logs'))).filter((n) => n !== 'audit.log');
    expect(found).toHaveLength(1);
    expect(found[0]).toMatch(/\.log\.gz$/);
  });
});
