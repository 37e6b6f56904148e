import { describe, expect, it } from 'vitest';
import { checkNodeTimes, ConfigError, leaseDurationSeconds } from './config.ts';

describe('leaseDurationSeconds', () => {
  it.each([
    ['50s', 40],
    ['5m', 40],
    ['20s', 16],
    ['5s', 4],
  ])('%s: %i', (grace, seconds) => {
    expect(leaseDurationSeconds(grace)).toBe(seconds);
  });
});

describe('checkNodeTimes', () => {
  it.each([
    ['4s', '300'],
    ['soon', '300'],
    ['50s', '-1'],
    ['50s', '5m'],
  ])('refuses %s, %s', (nodeMonitorGracePeriod, defaultTolerationSeconds) => {
    expect(() => checkNodeTimes({ nodeMonitorGracePeriod, defaultTolerationSeconds })).toThrow(ConfigError);
  });
});
