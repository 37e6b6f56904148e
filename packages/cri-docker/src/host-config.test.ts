import { describe, expect, it } from 'vitest';
import { renderMount } from './host-config.ts';

describe('mounts', () => {
  const mount = { hostPath: '/', containerPath: '/host', readOnly: true };
  it.each([
    ['private', undefined],
    ['host-to-container', { Propagation: 'rslave' }],
    ['bidirectional', { Propagation: 'rshared' }],
  ] as const)('%s propagation', (propagation, expected) => {
    const rendered = renderMount({ ...mount, propagation }, { knowsRecursion: false });
    expect(rendered).toMatchObject({ Type: 'bind', Source: '/', Target: '/host', ReadOnly: true });
    expect(rendered.BindOptions).toEqual(expected);
  });

  it.each([
    ['only the mount itself, unless asked', {}, { ReadOnlyNonRecursive: true }],
    ['what is mounted below as well', { recursiveReadOnly: true }, { ReadOnlyForceRecursive: true, Propagation: 'rprivate' }],
    ['nothing of a writable one', { readOnly: false }, undefined],
  ])('read-only covers %s, where the engine knows the difference', (_name, over, expected) => {
    expect(renderMount({ ...mount, propagation: 'private', ...over }, { knowsRecursion: true }).BindOptions).toEqual(expected);
  });
});
