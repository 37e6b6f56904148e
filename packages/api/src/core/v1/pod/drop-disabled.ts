import type { DeepReadonly } from '@skiff/apimachinery';
import type { PodSpec } from '../../../generated/types/core-v1.ts';

type Warn = ((text: string) => void) | undefined;

/**
 * Fields of features that are alpha in 1.36, or beta and off: they are dropped, as upstream does, but not in silence. What a stored
 * object has already, stays.
 */
export function dropDisabledPodFields(spec: PodSpec | undefined, old: DeepReadonly<PodSpec> | undefined, path: string, warn: Warn): void {
  if (spec === undefined) return;
  const dropped = (field: string): void => warn?.(`${path}.${field}: not supported; the field was dropped`);
  if (spec.schedulingGroup !== undefined && old?.schedulingGroup === undefined) {
    delete spec.schedulingGroup;
    dropped('schedulingGroup');
  }
  for (const [i, volume] of (spec.volumes ?? []).entries()) {
    for (const [j, source] of (volume.projected?.sources ?? []).entries()) {
      for (const field of ['clusterTrustBundle', 'podCertificate'] as const) {
        const known = old?.volumes?.some((v) => v.projected?.sources?.some((s) => s[field] !== undefined));
        if (source[field] === undefined || known) continue;
        delete source[field];
        dropped(`volumes[${i}].projected.sources[${j}].${field}`);
      }
    }
  }
  for (const list of ['initContainers', 'containers', 'ephemeralContainers'] as const) {
    const known = old?.[list]?.some((c) => c.lifecycle?.stopSignal !== undefined);
    for (const [i, container] of (spec[list] ?? []).entries()) {
      if (container.lifecycle?.stopSignal === undefined || known) continue;
      delete container.lifecycle.stopSignal;
      dropped(`${list}[${i}].lifecycle.stopSignal`);
    }
  }
}
