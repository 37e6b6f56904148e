/** Why not, with the numbers behind it. `text` is upstream's and is counted over nodes in messages; `numbers` are for whoever asks further. */
export interface Reason {
  readonly text: string;
  readonly numbers?: Readonly<Record<string, number>>;
}

/** `unresolvable`: removing pods from the node would not help, so preemption does not look at it. */
export interface Rejection {
  readonly code: 'unschedulable' | 'unresolvable';
  readonly reasons: readonly Reason[];
}

/** `skip`: the plugin has nothing to do with this pod and is left out of the rest of the cycle. */
export type Verdict = { readonly code: 'ok' } | { readonly code: 'skip' } | Rejection;

export const ok: Verdict = { code: 'ok' };
export const skip: Verdict = { code: 'skip' };
export const unschedulable = (...texts: string[]): Rejection => ({ code: 'unschedulable', reasons: texts.map((text) => ({ text })) });
export const unresolvable = (...texts: string[]): Rejection => ({ code: 'unresolvable', reasons: texts.map((text) => ({ text })) });
export const isRejection = (verdict: Verdict): verdict is Rejection => verdict.code === 'unschedulable' || verdict.code === 'unresolvable';
