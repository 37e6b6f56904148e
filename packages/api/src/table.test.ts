import { describe, expect, it } from 'vitest';
import { formatDuration, formatLabels, labelSelectorText, since } from './table.ts';

const minute = 60_000;
const hour = 60 * minute;
const day = 24 * hour;

describe('formatDuration', () => {
  it.each([
    [-2500, '<invalid>'],
    [-1500, '0s'],
    [0, '0s'],
    [119_000, '119s'],
    [2 * minute, '2m'],
    [9 * minute + 59_000, '9m59s'],
    [10 * minute + 1000, '10m'],
    [179 * minute, '179m'],
    [3 * hour, '3h'],
    [7 * hour + 5 * minute, '7h5m'],
    [8 * hour + 5 * minute, '8h'],
    [47 * hour, '47h'],
    [2 * day, '2d'],
    [7 * day + 23 * hour, '7d23h'],
    [8 * day + 23 * hour, '8d'],
    [729 * day, '729d'],
    [730 * day, '2y'],
    [800 * day, '2y70d'],
    [10 * 365 * day, '10y'],
  ])('%i ms is %s', (durationMs, text) => {
    expect(formatDuration(durationMs)).toBe(text);
  });

  it('says so when there is no time', () => {
    expect(since(null, 0)).toBe('<unknown>');
    expect(since('1970-01-01T00:00:00Z', 5000)).toBe('5s');
  });
});

describe('selectors', () => {
  it('sorts labels', () => {
    expect(formatLabels({ b: '2', a: '1' })).toBe('a=1,b=2');
    expect(formatLabels({})).toBe('<none>');
  });

  it('writes expressions as kubectl takes them', () => {
    const selector = {
      matchLabels: { tier: 'web' },
      matchExpressions: [
        { key: 'env', operator: 'In', values: ['b', 'a'] },
        { key: 'app', operator: 'Exists' },
        { key: 'old', operator: 'DoesNotExist' },
      ],
    };
    expect(labelSelectorText(selector)).toBe('app,env in (a,b),!old,tier=web');
  });
});
