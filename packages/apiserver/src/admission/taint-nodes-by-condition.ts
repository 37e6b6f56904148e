import type { Node } from '@skiff/api';
import { type AdmissionPlugin, isFor } from './plugin.ts';

const notReady = { key: 'node.kubernetes.io/not-ready', effect: 'NoSchedule' } as const;

/** A new node takes no pods before a controller has seen it ready. */
export const taintNodesByCondition: AdmissionPlugin = {
  name: 'TaintNodesByCondition',
  handles: (r) => r.operation === 'CREATE' && isFor(r, '', 'nodes'),
  mutate: (r) => {
    const wanted = r.object as unknown as Node;
    wanted.spec ??= {};
    const taints = wanted.spec.taints ?? [];
    if (!taints.some((t) => t.key === notReady.key && t.effect === notReady.effect)) wanted.spec.taints = [...taints, { ...notReady }];
  },
};
