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
  it('refuses a removal after something that is no duration', () => {
    const times = { nodeMonitorGracePeriod: '50s', defaultTolerationSeconds: '300' };
    expect(() => checkNodeTimes({ ...times, nodeRemovalAfter: 'never' })).toThrow('--node-removal-after takes a duration');
    expect(() => checkNodeTimes({ ...times, nodeRemovalAfter: '30m' })).not.toThrow();
  });
  it.each([
    ['4s', '300'],
    ['soon', '300'],
    ['50s', '-1'],
    ['50s', '5m'],
  ])('refuses %s, %s', (nodeMonitorGracePeriod, defaultTolerationSeconds) => {
    expect(() => checkNodeTimes({ nodeMonitorGracePeriod, nodeRemovalAfter: '0', defaultTolerationSeconds })).toThrow(ConfigError);
  });
});
