import { spawn } from 'node:child_process';
import type { Writable } from 'node:stream';

/** What somebody wants to see of services' logs (KEP-2258). */
export interface NodeLogQuery {
  readonly services: readonly string[];
  readonly files: readonly string[];
  readonly sinceTime: Date | undefined;
  readonly untilTime: Date | undefined;
  readonly tailLines: number | undefined;
  readonly boot: number | undefined;
  readonly pattern: string;
}

/** 400: what was asked can't be read; 406: it can't be done. */
export class NodeLogQueryError extends Error {
  readonly code: 400 | 406;
  constructor(code: 400 | 406, message: string) {
    super(message);
    this.code = code;
  }
}

const maxTailLines = 100_000;
const maxServices = 4;
const maxServiceLength = 256;
const maxPatternLength = 1024;
const limitMs = 30_000;
const rfc3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

function timeOf(query: URLSearchParams, name: string): Date | undefined {
  const text = query.get(name) ?? '';
  if (text === '') return undefined;
  const time = new Date(text);
  if (!rfc3339.test(text) || Number.isNaN(time.getTime()))
    throw new NodeLogQueryError(400, `${name}: Invalid value: "${text}": invalid time format`);
  return time;
}

function integerOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name) ?? '';
  if (text === '') return undefined;
  if (!/^[+-]?\d{1,9}$/.test(text)) throw new NodeLogQueryError(400, `${name}: Invalid value: "${text}": invalid syntax`);
  return Number(text);
}

/** undefined: it asks for no log in particular. Throws NodeLogQueryError. */
export function parseNodeLogQuery(query: URLSearchParams): NodeLogQuery | undefined {
  const asked = query.getAll('query');
  if (asked.length === 0) return undefined;
  const names = asked.filter((q) => q.trim() !== '');
  if (names.length === 0) throw new NodeLogQueryError(400, 'query: Invalid value: query cannot be empty');
  // A name with a slash means a file.
  const isFile = (q: string): boolean => /[/\\]/.test(q);
  const q: NodeLogQuery = {
    services: names.filter((n) => !isFile(n)),
    files: names.filter(isFile),
    sinceTime: timeOf(query, 'sinceTime'),
    untilTime: timeOf(query, 'untilTime'),
    tailLines: integerOf(query, 'tailLines'),
    boot: integerOf(query, 'boot'),
    pattern: query.get('pattern') ?? '',
  };
  const refuse = (text: string): never => {
    throw new NodeLogQueryError(406, text);
  };
  for (const s of q.services)
    if (s.length > maxServiceLength || !/^[a-zA-Z0-9_.:@][a-zA-Z0-9\-_.:@]*$/.test(s))
      refuse(`query: Invalid value: "${s}": input contains unsupported characters`);
  if (q.services.length > maxServices) refuse(`query: Too many: ${q.services.length}: must have at most ${maxServices} items`);
  if (q.files.length > 0 && q.services.length > 0) refuse('query: Invalid value: cannot specify a file and service');
  if (q.files.length > 1) refuse('query: Invalid value: cannot specify more than one file');
  if (q.files.length === 1 && hasOptions(q)) refuse('query: Invalid value: cannot specify file with options');
  if (q.sinceTime !== undefined && q.untilTime !== undefined && q.sinceTime > q.untilTime)
    refuse('untilTime: Invalid value: must be after `sinceTime`');
  if (q.boot !== undefined && q.boot > 0) refuse(`boot: Invalid value: ${q.boot}: must be less than 1`);
  if (q.tailLines !== undefined && (q.tailLines < 0 || q.tailLines > maxTailLines))
    refuse(`tailLines: Invalid value: ${q.tailLines}: must be between 0 and ${maxTailLines}, inclusive`);
  if (q.pattern.length > maxPatternLength) refuse(`pattern: Too long: may not be more than ${maxPatternLength} characters`);
  return q;
}

export const hasOptions = (q: NodeLogQuery): boolean =>
  q.sinceTime !== undefined || q.untilTime !== undefined || q.tailLines !== undefined || q.boot !== undefined || q.pattern !== '';

const journalTime = (t: Date): string => t.toISOString().slice(0, 19).replace('T', ' ');

/** The arguments of journalctl. */
export const journalArguments = (q: NodeLogQuery): readonly string[] => [
  '--utc',
  '--no-pager',
  '--output=short-precise',
  ...(q.sinceTime === undefined ? [] : [`--since=${journalTime(q.sinceTime)}`]),
  ...(q.untilTime === undefined ? [] : [`--until=${journalTime(q.untilTime)}`]),
  ...(q.tailLines === undefined ? [] : ['--pager-end', `--lines=${q.tailLines}`]),
  ...q.services.map((s) => `--unit=${s}`),
  ...(q.pattern === '' ? [] : [`--grep=${q.pattern}`, '--case-sensitive=false']),
  ...(q.boot === undefined ? [] : [`--boot=${q.boot}`]),
];

/** Runs journalctl into `to`, for half a minute at most; ends with its reader. Resolves with what it failed with, if it could not be run. */
export function copyJournal(args: readonly string[], to: Writable, program = 'journalctl'): Promise<Error | undefined> {
  return new Promise((resolve) => {
    const child = spawn(program, args, { stdio: ['ignore', 'pipe', 'pipe'], timeout: limitMs, killSignal: 'SIGKILL' });
    const stop = (): void => void child.kill('SIGKILL');
    to.once('close', stop);
    const finish = (error?: Error): void => {
      to.off('close', stop);
      resolve(error);
    };
    child.once('error', finish);
    child.once('close', () => finish());
    child.stdout.pipe(to, { end: false });
    child.stderr.pipe(to, { end: false });
  });
}

/** Names of the services that write into the journal. Empty where there is none. */
export function journalServices(program = 'journalctl'): Promise<ReadonlySet<string>> {
  return new Promise((resolve) => {
    const child = spawn(program, ['--field', '_SYSTEMD_UNIT'], { stdio: ['ignore', 'pipe', 'ignore'], timeout: limitMs });
    let text = '';
    child.stdout.on('data', (b: Buffer) => (text += b.toString()));
    child.once('error', () => resolve(new Set()));
    child.once('close', () => resolve(new Set(text.split('\n').map((l) => l.trim().replace(/\.service$/, '')))));
  });
}
