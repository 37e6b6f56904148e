import { describe, expect, it } from 'vitest';
import { chooseReaderProtocol } from './websocket-reader.ts';

describe('subprotocol of a stream to read', () => {
  it('may be left out', () => {
    expect(chooseReaderProtocol('')).toBe('');
    expect(chooseReaderProtocol('base64url.bearer.authorization.k8s.io.dG9rZW4')).toBe('');
  });
  it('is the one that is known', () => {
    expect(chooseReaderProtocol('v9.example.com, base64.binary.k8s.io')).toBe('base64.binary.k8s.io');
    expect(chooseReaderProtocol('binary.k8s.io,base64.binary.k8s.io')).toBe('binary.k8s.io');
  });
  it('is refused when none is', () => {
    expect(() => chooseReaderProtocol('v4.channel.k8s.io')).toThrow(/v4.channel.k8s.io/);
  });
});
