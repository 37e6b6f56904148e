import { describe, expect, it } from 'vitest';
import { checkClock, checkNodeName, checkVersionSkew } from './checks.ts';
import { parseEndpoint } from './discover.ts';

describe('checkNodeName', () => {
  it.each(['a', 'node-1', 'host.example.com', 'a'.repeat(63)])('takes %s', (name) => expect(() => checkNodeName(name)).not.toThrow());
  it.each(['', 'My-Host', 'my_host', '-a', 'a-', 'a..b', 'a'.repeat(64), 'a b'])('refuses "%s"', (name) =>
    expect(() => checkNodeName(name)).toThrow("can't be the name of a node"),
  );
});

describe('checkClock', () => {
  it.each([0, 200_000, -200_000])('takes %d ms', (ms) => expect(() => checkClock(ms)).not.toThrow());
  it('says how far and where', () => {
    expect(() => checkClock(600_000)).toThrow('10 minutes ahead of');
    expect(() => checkClock(-30 * 86_400_000)).toThrow('30 days behind');
  });
});

describe('checkVersionSkew', () => {
  it.each([
    ['v1.36.2', 'v1.36.2', true],
    ['v1.36.2', 'v1.36.0', true],
    ['v1.35.9', 'v1.36.2', true],
    ['v1.33.0', 'v1.36.2', true],
    ['v1.32.0', 'v1.36.2', false],
    ['v1.37.0', 'v1.36.2', false],
    ['v1.36.2', 'nonsense', false],
  ])('a kubelet %s with an apiserver %s: %s', (own, server, good) => {
    if (good) expect(() => checkVersionSkew(own, server)).not.toThrow();
    else expect(() => checkVersionSkew(own, server)).toThrow('three minor versions');
  });
});

describe('parseEndpoint', () => {
  it.each([
    ['10.0.0.1:6443', { host: '10.0.0.1', port: 6443 }],
    ['https://master:6443/', { host: 'master', port: 6443 }],
    ['[fd00::1]:6443', { host: '[fd00::1]', port: 6443 }],
  ])('%s', (text, expected) => expect(parseEndpoint(text)).toEqual(expected));
  it.each(['10.0.0.1', 'http://a:1', 'a:0', 'a:99999', 'a b:1', ':6443', 'fd00::1:6443'])('not %s', (text) =>
    expect(() => parseEndpoint(text)).toThrow('is not the address of an apiserver'),
  );
});
