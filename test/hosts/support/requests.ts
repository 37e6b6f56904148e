import { eventually } from '../../e2e/support/cluster.ts';
import type { InsideProcess } from '../../lab/inside.ts';

/** What came of many requests, each on a connection of its own to the stories' web server. */
export interface Tally {
  readonly answered: number;
  /** How often each kind of failure came. */
  readonly failed: Readonly<Record<string, number>>;
  /** Answers by pod, and by the client address that the pod saw. */
  readonly pods: Readonly<Record<string, number>>;
  readonly clients: Readonly<Record<string, number>>;
  readonly ms: number;
  /** The slowest answer, in ms. */
  readonly slowestMs: number;
  /** When failures came, in ms since the start; the first hundred. */
  readonly failedAtMs: readonly number[];
}

/**
 * A program for `node -e`: arguments are the number of requests (0: until its input ends), how many at a time, how many a second
 * (0: as fast as it goes), after how many ms of silence a request has failed, the DNS server to ask for names
 * (empty: the system's), and URLs, taken in turn. Prints `on`, then the tally as JSON. An answer is `version pod client`.
 */
export const requestsProgram = `
const http = require('http');
const [count, atOnce, perSecond, timeout, nameServer, ...urls] = process.argv.slice(1).map((a, i) => (i < 4 ? Number(a) : a));
const resolver = new (require('dns').Resolver)({ tries: 10 });
if (nameServer !== '') resolver.setServers([nameServer]);
const lookup = nameServer === '' ? undefined : (name, o, done) => resolver.resolve4(name, (error, found) => {
  if (error) return done(error);
  if (o.all) done(null, found.map((address) => ({ address, family: 4 })));
  else done(null, found[0], 4);
});
const began = performance.now();
const tally = { answered: 0, failed: {}, pods: {}, clients: {}, ms: 0, slowestMs: 0, failedAtMs: [] };
const add = (table, key) => { table[key] = (table[key] || 0) + 1; };
const one = (url) => new Promise((done) => {
  const from = performance.now();
  const fail = (why) => { add(tally.failed, why); if (tally.failedAtMs.length < 100) tally.failedAtMs.push(Math.round(from - began)); done(); };
  const request = http.request(url, { agent: false, timeout, lookup }, (answer) => {
    let text = '';
    answer.on('data', (d) => { text += d; });
    answer.on('error', (e) => fail(e.code || e.message));
    answer.on('end', () => {
      if (answer.statusCode !== 200) return fail('status ' + answer.statusCode);
      const [, pod, client] = text.trim().split(' ');
      tally.answered++; add(tally.pods, pod); add(tally.clients, client);
      tally.slowestMs = Math.max(tally.slowestMs, Math.round(performance.now() - from));
      done();
    });
  });
  request.on('timeout', () => request.destroy(new Error('timed out')));
  request.on('error', (e) => fail(e.code || e.message));
  request.end();
});
let ended = false;
if (count === 0) process.stdin.on('end', () => { ended = true; }).resume();
let sent = 0;
const more = () => !ended && (count === 0 || sent < count);
const worker = async () => {
  while (more()) {
    const n = sent++;
    if (perSecond > 0) {
      const wait = began + (n * 1000) / perSecond - performance.now();
      if (wait > 0) await new Promise((r) => setTimeout(r, wait));
      if (ended) return;
    }
    await one(urls[n % urls.length]);
  }
};
console.log('on');
Promise.all(Array.from({ length: atOnce }, worker)).then(() => {
  tally.ms = Math.round(performance.now() - began);
  console.log(JSON.stringify(tally));
  process.exit(0);
});
`;

interface RequestOptions {
  readonly count: number;
  readonly atOnce?: number;
  readonly perSecond?: number;
  /** Default 10 s. */
  readonly timeoutMs?: number;
  /** Asked for names instead of the system's. */
  readonly nameServer?: string;
}

/** Arguments of `node`. Throws when there is no URL to ask. */
export function requestArguments(o: RequestOptions, urls: readonly string[]): readonly string[] {
  if (urls.length === 0) throw new Error('requests need a URL');
  const numbers = [o.count, o.atOnce ?? 16, o.perSecond ?? 0, o.timeoutMs ?? 10_000].map(String);
  return ['-e', requestsProgram, ...numbers, o.nameServer ?? '', ...urls];
}

/** Throws with what was printed instead of a tally. */
export function parseTally(output: string): Tally {
  const last = output.trim().split('\n').at(-1) ?? '';
  if (!last.startsWith('{')) throw new Error(`no tally of requests, but ${JSON.stringify(output.slice(-500))}`);
  return JSON.parse(last) as Tally;
}

/**
 * Resolves once every URL answers a client, and so many pods have: what a host knows of Services comes a little after the API's word.
 * `ask` runs `node` with these arguments at the client and resolves with what it printed.
 */
export function untilServed(
  client: string,
  ask: (nodeArguments: readonly string[]) => Promise<string>,
  o: { readonly urls: readonly string[]; readonly pods?: number },
): Promise<true> {
  const { urls, pods = 1 } = o;
  const seen = new Set<string>();
  return eventually(
    `${client}: ${urls.join(', ')} answer`,
    async () => {
      const count = Math.max(urls.length, pods === 1 ? 1 : pods * 4);
      const tally = parseTally(await ask(requestArguments({ count, atOnce: 4, timeoutMs: 5_000 }, urls)));
      expectAll(tally, client);
      for (const pod of Object.keys(tally.pods)) seen.add(pod);
      if (seen.size < pods) throw new Error(`${seen.size} of ${pods} pods have answered: ${[...seen].join(', ')}`);
      return true;
    },
    180_000,
  );
}

/** Throws, with what failed and when, unless every request was answered. */
export function expectAll(tally: Tally, what: string): void {
  if (failures(tally) === 0) return;
  const when = tally.failedAtMs.slice(0, 20).join(', ');
  throw new Error(
    `${what}: ${failures(tally)} of ${failures(tally) + tally.answered} requests failed: ${JSON.stringify(tally.failed)}, at ms ${when}`,
  );
}

export const failures = (tally: Tally): number => Object.values(tally.failed).reduce((a, b) => a + b, 0);

/** Requests that go on until they are ended. */
export interface Load {
  end(): Promise<Tally>;
}

/** Takes a program that was started with `requestArguments({ count: 0, … })`; resolves when it sends. */
export async function followLoad(started: InsideProcess): Promise<Load> {
  let output = '';
  let errors = '';
  await new Promise<void>((resolve, reject) => {
    started.child.stderr.on('data', (d: Buffer) => {
      errors += d.toString();
    });
    started.child.stdout.on('data', (d: Buffer) => {
      output += d.toString();
      if (output.startsWith('on')) resolve();
    });
    started.ended.then((code) => reject(new Error(`the load ended with ${code}: ${errors}`)), reject);
  });
  return {
    async end() {
      started.child.stdin.end();
      const late = setTimeout(() => started.kill('SIGKILL'), 60_000);
      const code = await started.ended.finally(() => clearTimeout(late));
      if (code !== 0) throw new Error(`the load ended with ${code}: ${errors}${output.slice(-500)}`);
      return parseTally(output);
    },
  };
}
