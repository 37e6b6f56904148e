import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { copyJournal, journalArguments, journalServices, parseNodeLogQuery } from './node-log-query.ts';
import { parseRange } from './node-logs.ts';

const parse = (text: string) => parseNodeLogQuery(new URLSearchParams(text));

it('a query becomes arguments of journalctl', () => {
  const q = parse('query=kubelet&query=docker&sinceTime=2026-01-02T03:04:05Z&tailLines=5&pattern=a.b&boot=-1');
  expect(q === undefined ? [] : journalArguments(q)).toEqual([
    '--utc',
    '--no-pager',
    '--output=short-precise',
    '--since=2026-01-02 03:04:05',
    '--pager-end',
    '--lines=5',
    '--unit=kubelet',
    '--unit=docker',
    '--grep=a.b',
    '--case-sensitive=false',
    '--boot=-1',
  ]);
  expect(parse('')).toBeUndefined();
});

it.each([
  ['query=a&sinceTime=yesterday', 'invalid time format'],
  ['query=a&tailLines=x', 'invalid syntax'],
  ['query=a&tailLines=100001', 'must be between 0 and 100000'],
  ['query=a&boot=1', 'must be less than 1'],
  ['query=a&query=/b', 'cannot specify a file and service'],
  ['query=/a&query=/b', 'more than one file'],
  ['query=/a&pattern=b', 'cannot specify file with options'],
  ['query=a&query=b&query=c&query=d&query=e', 'Too many'],
  ['query=a%20b', 'unsupported characters'],
  ['query=a&sinceTime=2026-01-02T00:00:00Z&untilTime=2026-01-01T00:00:00Z', 'must be after `sinceTime`'],
])('refuses %s', (text, message) => {
  expect(() => parse(text)).toThrow(message);
});

it('copies what the program says, and says that there is none', async () => {
  const to = new PassThrough();
  expect(await copyJournal(['said'], to, 'echo')).toBeUndefined();
  expect(String(to.read())).toBe('said\n');
  expect(await copyJournal([], to, '/no/journalctl')).toMatchObject({ code: 'ENOENT' });
  expect(await journalServices('/no/journalctl')).toEqual(new Set());
});

it('the end of the reader ends the program', async () => {
  const to = new PassThrough();
  const copied = copyJournal(['60'], to, 'sleep');
  to.destroy();
  expect(await copied).toBeUndefined();
});

it.each([
  ['bytes=2-4', { start: 2, end: 4 }],
  ['bytes=-3', { start: 7, end: 9 }],
  ['bytes=8-100', { start: 8, end: 9 }],
  ['lines=1', undefined],
  [undefined, undefined],
])('%s', (header, range) => {
  expect(parseRange(header, 10)).toEqual(range);
  expect(() => parseRange('bytes=10-', 10)).toThrow('failed to overlap');
});
