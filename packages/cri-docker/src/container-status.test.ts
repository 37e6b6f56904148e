import { describe, expect, it } from 'vitest';
import type { ContainerInspectInfo } from 'dockerode';
import { readState } from './container-status.ts';

const zero = '0001-01-01T00:00:00Z';
const at = '2026-11-20T10:00:00.5Z';
const state = (over: Partial<ContainerInspectInfo['State']> & { Error?: string }): ContainerInspectInfo['State'] =>
  ({
    Status: 'exited',
    Running: false,
    OOMKilled: false,
    ExitCode: 0,
    StartedAt: at,
    FinishedAt: at,
    Error: '',
    ...over,
  }) as ContainerInspectInfo['State'];

describe('readState', () => {
  it.each([
    ['running', state({ Status: 'running', Running: true, FinishedAt: zero }), 'running', '', 0],
    ['created', state({ Status: 'created', StartedAt: zero, FinishedAt: zero }), 'created', '', 0],
    [
      'failed start',
      state({ Status: 'created', ExitCode: 127, Error: 'no such file', StartedAt: zero, FinishedAt: zero }),
      'exited',
      'StartError',
      128,
    ],
    ['clean exit', state({}), 'exited', 'Completed', 0],
    ['failure', state({ ExitCode: 3 }), 'exited', 'Error', 3],
    ['out of memory', state({ ExitCode: 137, OOMKilled: true }), 'exited', 'OOMKilled', 137],
    ['only a child out of memory', state({ OOMKilled: true }), 'exited', 'Completed', 0],
  ])('%s', (_name, input, expected, reason, exitCode) => {
    expect(readState(input)).toMatchObject({ state: expected, reason, exitCode });
  });
});
