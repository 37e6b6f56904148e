import { describe, expect, it } from 'vitest';
import type { Container, ContainerState } from '../container.ts';
import { differences } from './remote-events.ts';

const listed = (...all: readonly (readonly [string, ContainerState])[]): Map<string, Container> =>
  new Map(
    all.map(([id, state]) => [
      id,
      { id, state, podSandboxId: 's', metadata: { name: id, attempt: 0 }, image: 'i', createdAtMs: 0, labels: {}, annotations: {} },
    ]),
  );

describe('what two lists of containers differ in', () => {
  it.each([
    ['nothing', listed(['a', 'running']), listed(['a', 'running']), []],
    ['a new one', listed(), listed(['a', 'created']), [['created', 'a']]],
    ['one that was made and started between', listed(), listed(['a', 'running']), [['started', 'a']]],
    ['one that was made and ended between', listed(), listed(['a', 'exited']), [['died', 'a']]],
    ['an end', listed(['a', 'running']), listed(['a', 'exited']), [['died', 'a']]],
    ['a removal', listed(['a', 'exited']), listed(), [['removed', 'a']]],
  ])('%s', (_, before, after, expected) => {
    expect(differences(before, after).map(([type, c]) => [type, c.id])).toEqual(expected);
  });
});
