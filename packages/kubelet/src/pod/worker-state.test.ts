import { describe, expect, it } from 'vitest';
import { advance, initialState, type PodWorkerEvent, type PodWorkerState } from './worker-state.ts';

const stop = (graceSeconds: number, cause: 'deleted' | 'evicted' = 'deleted'): PodWorkerEvent => ({ type: 'stop', cause, graceSeconds });
const gone: PodWorkerEvent = { type: 'containersGone' };
const clean: PodWorkerEvent = { type: 'cleanedUp' };
const run = (...events: PodWorkerEvent[]): PodWorkerState => events.reduce(advance, initialState);

describe('advance', () => {
  it.each([
    ['starts by syncing', [], { phase: 'syncing' }],
    ['terminates when told to', [stop(30)], { phase: 'terminating', graceSeconds: 30, cause: 'deleted' }],
    ['lets grace shrink', [stop(30), stop(5)], { phase: 'terminating', graceSeconds: 5, cause: 'deleted' }],
    ['never lets grace grow', [stop(5), stop(30)], { phase: 'terminating', graceSeconds: 5, cause: 'deleted' }],
    ['keeps its first cause', [stop(30, 'evicted'), stop(0)], { phase: 'terminating', graceSeconds: 0, cause: 'evicted' }],
    ['knows no negative grace', [stop(-1)], { phase: 'terminating', graceSeconds: 0, cause: 'deleted' }],
    ['is terminated when its containers are gone', [stop(3), gone], { phase: 'terminated', cause: 'deleted' }],
    ['finishes after cleaning up', [stop(3), gone, clean], { phase: 'finished', cause: 'deleted' }],
    ['never goes back', [stop(3), gone, clean, stop(1), gone], { phase: 'finished', cause: 'deleted' }],
    ['takes no short cuts', [gone, clean], { phase: 'syncing' }],
  ] as const)('%s', (_name, events, expected) => {
    expect(run(...events)).toEqual(expected);
  });
});
