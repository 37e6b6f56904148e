import type { Pod, Toleration } from '@skiff/api';
import { type AdmissionPlugin, isFor } from './plugin.ts';

/** Seconds that pods stay where their node is not ready or unreachable, unless they say otherwise: upstream's flags. */
export interface DefaultTolerations {
  readonly notReadySeconds: number;
  readonly unreachableSeconds: number;
}
export const standardTolerations: DefaultTolerations = { notReadySeconds: 300, unreachableSeconds: 300 };

const tolerates = (t: Toleration, key: string): boolean =>
  ((t.key ?? '') === '' || t.key === key) && ((t.effect ?? '') === '' || t.effect === 'NoExecute');

/** Gives pods the time for which they bear with a node that is lost. */
export const defaultTolerationSeconds = ({ notReadySeconds, unreachableSeconds }: DefaultTolerations): AdmissionPlugin => ({
  name: 'DefaultTolerationSeconds',
  handles: (r) => (r.operation === 'CREATE' || r.operation === 'UPDATE') && isFor(r, '', 'pods'),
  mutate: (r) => {
    const spec = (r.object as unknown as Pod).spec;
    if (spec === undefined) return;
    const had = spec.tolerations ?? [];
    const missing = [
      { key: 'node.kubernetes.io/not-ready', tolerationSeconds: notReadySeconds },
      { key: 'node.kubernetes.io/unreachable', tolerationSeconds: unreachableSeconds },
    ].filter(({ key }) => !had.some((t) => tolerates(t, key)));
    if (missing.length === 0) return;
    spec.tolerations = [
      ...had,
      ...missing.map(({ key, tolerationSeconds }) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds })),
    ];
  },
});
