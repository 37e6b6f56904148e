/** How packets for a node's pods get there: handed to the node on the common segment, or wrapped for the routers between. */
export type Path = 'direct' | 'vxlan';

export interface PathState {
  readonly path: Path;
  /** Answers in a row that speak for the tunnel. */
  readonly doubts: number;
  /** Rounds in a row in which nothing answered. */
  readonly silent: number;
  readonly nextProbeAtMs: number;
}

/** Which of the node's two addresses answered. */
export interface ProbeResult {
  readonly direct: boolean;
  readonly tunnel: boolean;
}

const settledMs = 60_000;
const soonMs = 1_000;
/** One lost packet is no reason to change the way. */
const doubtsToLeave = 2;

/** A node on the same subnet is believed to be reachable directly until it answers through the tunnel alone. */
export const initialPath = (onLink: boolean, remembered: Path | undefined, nowMs: number): PathState => ({
  path: onLink ? (remembered ?? 'direct') : 'vxlan',
  doubts: 0,
  silent: 0,
  nextProbeAtMs: onLink ? nowMs : Number.POSITIVE_INFINITY,
});

/** After a look at a node on the same subnet. A node that doesn't answer at all keeps the way it has. */
export function nextPath(state: PathState, result: ProbeResult, nowMs: number): PathState {
  if (result.direct) return { path: 'direct', doubts: 0, silent: 0, nextProbeAtMs: nowMs + settledMs };
  if (result.tunnel) {
    const doubts = state.doubts + 1;
    const leave = state.path === 'vxlan' || doubts >= doubtsToLeave;
    return { path: leave ? 'vxlan' : state.path, doubts, silent: 0, nextProbeAtMs: nowMs + (leave ? settledMs : soonMs) };
  }
  const silent = state.silent + 1;
  return { ...state, doubts: 0, silent, nextProbeAtMs: nowMs + Math.min(soonMs * 2 ** (silent - 1), settledMs) };
}
