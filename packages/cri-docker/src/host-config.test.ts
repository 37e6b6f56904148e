import { describe, expect, it } from 'vitest';
import { renderMount } from './host-config.ts';

describe('mounts', () => {
  const mount = { hostPath: '/', containerPath: '/host', readOnly: true };
  it.each([
    ['private', undefined],
    ['host-to-container', { Propagation: 'rslave' }],
    ['bidirectional', { Propagation: 'rshared' }],
  ] as const)('%s propagation', (propagation, expected) => {
    const rendered = renderMount({ ...mount, propagation });
    expect(rendered).toMatchObject({ Type: 'bind', Source: '/', Target: '/host', ReadOnly: true });
    expect(rendered.BindOptions).toEqual(expected);
  });
});
