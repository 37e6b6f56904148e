import type { ContainerStatus } from '@skiff/api';
import { expect, it } from 'vitest';
import { newTerminations } from './terminations.ts';

const ended = (name: string, exitCode: number, reason: string): ContainerStatus =>
  ({ name, state: { terminated: { exitCode, reason } } }) as ContainerStatus;
const running = (name: string): ContainerStatus => ({ name, state: { running: {} } }) as ContainerStatus;

it('every end is told once, by kind of container', () => {
  const first = { containerStatuses: [running('a'), ended('b', 0, 'Completed')] };
  const second = {
    initContainerStatuses: [ended('i', 0, 'Completed')],
    containerStatuses: [ended('a', 139, 'Error'), ended('b', 0, 'Completed')],
    ephemeralContainerStatuses: [ended('e', 1, 'Error')],
  };
  expect(newTerminations(first, second)).toEqual([
    { type: 'init_container', exitCode: 0, reason: 'Completed' },
    { type: 'container', exitCode: 139, reason: 'Error' },
    { type: 'ephemeral_container', exitCode: 1, reason: 'Error' },
  ]);
  expect(newTerminations(second, second)).toEqual([]);
  // Started again and ended again: another end.
  expect(newTerminations({ containerStatuses: [running('a')] }, { containerStatuses: [ended('a', 137, 'OOMKilled')] })).toHaveLength(1);
});
