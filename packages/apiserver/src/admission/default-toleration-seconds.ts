import type { Pod, Toleration } from '@skiff/api';
import { type AdmissionPlugin, isFor } from './plugin.ts';

const taints = ['node.kubernetes.io/not-ready', 'node.kubernetes.io/unreachable'] as const;
const seconds = 300;

const tolerates = (t: Toleration, key: string): boolean =>
  ((t.key ?? '') === '' || t.key === key) && ((t.effect ?? '') === '' || t.effect === 'NoExecute');

/** Pods stay five minutes on a node that is not ready or unreachable, unless they say otherwise. */
export const defaultTolerationSeconds: AdmissionPlugin = {
  name: 'DefaultTolerationSeconds',
  handles: (r) => (r.operation === 'CREATE' || r.operation === 'UPDATE') && isFor(r, '', 'pods'),
  mutate: (r) => {
    const spec = (r.object as unknown as Pod).spec;
    if (spec === undefined) return;
    const had = spec.tolerations ?? [];
    const missing = taints.filter((key) => !had.some((t) => tolerates(t, key)));
    if (missing.length === 0) return;
    spec.tolerations = [...had, ...missing.map((key) => ({ key, operator: 'Exists', effect: 'NoExecute', tolerationSeconds: seconds }))];
  },
};
