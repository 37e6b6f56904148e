import type { Probe } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

export type ProbeType = 'liveness' | 'readiness' | 'startup';
export type ProbeReading = 'success' | 'failure' | 'unknown';

/** Where a probe of one container stands. `reading` changes only after as many equal results as its threshold asks for. */
export interface ProbeState {
  readonly type: ProbeType;
  readonly reading: ProbeReading;
  readonly last: 'success' | 'failure' | undefined;
  readonly run: number;
}

/** Before the first result a container is alive, but neither ready nor started. */
export const initialProbeState = (type: ProbeType): ProbeState => ({
  type,
  reading: type === 'liveness' ? 'success' : type === 'readiness' ? 'failure' : 'unknown',
  last: undefined,
  run: 0,
});

export function advanceProbe(state: ProbeState, result: 'success' | 'failure', probe: DeepReadonly<Probe>): ProbeState {
  const run = state.last === result ? state.run + 1 : 1;
  const threshold = result === 'success' ? (probe.successThreshold ?? 1) : (probe.failureThreshold ?? 3);
  if (run < threshold) return { ...state, last: result, run };
  // Whoever failed its startup or liveness probe is about to be killed: the count starts over with the next container.
  return { ...state, reading: result, last: result, run: result === 'failure' && state.type !== 'readiness' ? 0 : run };
}
