import { describe, expect, it } from 'vitest';
import { formatDuration, parseDuration } from './duration.ts';
import { canonicalMicroTime, canonicalTime, formatMicroTime, formatTime, parseTime } from './time.ts';

describe('canonicalTime', () => {
  it.each([
    ['2024-02-29T12:00:00Z', '2024-02-29T12:00:00Z'],
    ['2024-01-02T03:04:05.678Z', '2024-01-02T03:04:05Z'],
    ['2024-01-02T03:04:05+02:00', '2024-01-02T01:04:05Z'],
    ['0001-01-01T00:00:00Z', '0001-01-01T00:00:00Z'],
  ])('%s', (value, canonical) => {
    expect(canonicalTime(value)).toBe(canonical);
  });
  it.each([
    ['x', 'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"'],
    ['', 'parsing time "" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "2006"'],
    ['2024/01', 'parsing time "2024/01" as "2006-01-02T15:04:05Z07:00": cannot parse "/01" as "-"'],
    ['2024-13-01T00:00:00Z', 'parsing time "2024-13-01T00:00:00Z": month out of range'],
    ['2023-02-29T00:00:00Z', 'parsing time "2023-02-29T00:00:00Z": day out of range'],
    ['2023-02-20T00:00:00', 'parsing time "2023-02-20T00:00:00" as "2006-01-02T15:04:05Z07:00": cannot parse "" as "Z07:00"'],
    ['2023-02-20T00:00:00Zx', 'parsing time "2023-02-20T00:00:00Zx": extra text: "x"'],
  ])('refuses %s', (value, message) => {
    expect(() => canonicalTime(value)).toThrow(message);
  });
});

describe('canonicalMicroTime', () => {
  it('wants six decimals', () => {
    expect(canonicalMicroTime('2024-01-02T03:04:05.678901+01:00')).toBe('2024-01-02T02:04:05.678901Z');
    expect(() => canonicalMicroTime('2024-01-02T03:04:05Z')).toThrow(
      'parsing time "2024-01-02T03:04:05Z" as "2006-01-02T15:04:05.000000Z07:00": cannot parse "Z" as ".000000"',
    );
  });
});

it('formats and parses milliseconds', () => {
  expect([formatTime(1700000000123), formatMicroTime(1700000000123), parseTime('2023-11-14T22:13:20.123456Z')]).toEqual([
    '2023-11-14T22:13:20Z',
    '2023-11-14T22:13:20.123000Z',
    1700000000123,
  ]);
});

describe('durations', () => {
  it.each([
    ['90s', '1m30s'],
    ['1.5h', '1h30m0s'],
    ['0', '0s'],
    ['-250ms', '-250ms'],
    ['1500us', '1.5ms'],
    ['24h', '24h0m0s'],
    ['1s500ms', '1.5s'],
  ])('%s → %s', (text, canonical) => {
    expect(formatDuration(parseDuration(text))).toBe(canonical);
  });
  it.each([
    ['', 'time: invalid duration ""'],
    ['5', 'time: missing unit in duration "5"'],
    ['5x', 'time: unknown unit "x" in duration "5x"'],
  ])('refuses %s', (text, message) => {
    expect(() => parseDuration(text)).toThrow(message);
  });
});
