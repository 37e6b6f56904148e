/**
 * A pod worker's life. States only move forward; grace may shrink, never grow; a finished UID never runs again.
 *
 *              deleted, evicted, rejected,
 *               completed, gone from API            containers gone            volumes, cgroups gone
 *   syncing ───────────────────────────▶ terminating ───────────▶ terminated ───────────────▶ finished
 *                                          │   ▲
 *                                          └───┘ shorter grace
 */
export type TerminationCause = 'deleted' | 'evicted' | 'rejected' | 'completed' | 'removed';

export type PodWorkerState =
  | { readonly phase: 'syncing' }
  | { readonly phase: 'terminating'; readonly graceSeconds: number; readonly cause: TerminationCause }
  | { readonly phase: 'terminated'; readonly cause: TerminationCause }
  | { readonly phase: 'finished'; readonly cause: TerminationCause };

export type PodWorkerEvent =
  /** The pod shall stop. `completed`: its containers ended and none is to be started again. */
  | { readonly type: 'stop'; readonly cause: TerminationCause; readonly graceSeconds: number }
  | { readonly type: 'containersGone' }
  | { readonly type: 'cleanedUp' };

export const initialState: PodWorkerState = { phase: 'syncing' };

/** What decides about the grace of a deletion: the API's own number, else the spec's. */
export const defaultGraceSeconds = 30;

export function advance(state: PodWorkerState, event: PodWorkerEvent): PodWorkerState {
  switch (event.type) {
    case 'stop':
      if (state.phase === 'syncing') return { phase: 'terminating', graceSeconds: Math.max(0, event.graceSeconds), cause: event.cause };
      if (state.phase === 'terminating' && event.graceSeconds < state.graceSeconds)
        return { ...state, graceSeconds: Math.max(0, event.graceSeconds) };
      return state;
    case 'containersGone':
      return state.phase === 'terminating' ? { phase: 'terminated', cause: state.cause } : state;
    case 'cleanedUp':
      return state.phase === 'terminated' ? { phase: 'finished', cause: state.cause } : state;
  }
}
