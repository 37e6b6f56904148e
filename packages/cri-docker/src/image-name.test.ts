import { describe, expect, it } from 'vitest';
import { familiarName, isImageId, parseImageName } from './image-name.ts';

describe('image names', () => {
  it.each([
    ['busybox', 'busybox:latest'],
    ['docker.io/busybox:1', 'busybox:1'],
    ['index.docker.io/library/busybox', 'busybox:latest'],
    ['library/busybox:1', 'busybox:1'],
    ['me/app', 'me/app:latest'],
    ['localhost/app:2', 'localhost/app:2'],
    ['127.0.0.1:5000/app', '127.0.0.1:5000/app:latest'],
    ['registry.k8s.io/pause:3.10', 'registry.k8s.io/pause:3.10'],
    [`busybox@sha256:${'a'.repeat(64)}`, `busybox@sha256:${'a'.repeat(64)}`],
    [`busybox:1@sha256:${'a'.repeat(64)}`, `busybox@sha256:${'a'.repeat(64)}`],
  ])('%s is known as %s', (name, expected) => expect(familiarName(name)).toBe(expected));

  it('takes names apart', () => {
    expect(parseImageName('host:5000/a/b:c')).toEqual({ domain: 'host:5000', path: 'a/b', tag: 'c', digest: undefined });
    expect(isImageId('sha256:'.concat('0'.repeat(64)))).toBe(true);
    expect(isImageId('cafe')).toBe(false);
  });
});
