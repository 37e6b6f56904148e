import { forbidden, type KubeObject, type StatusError } from '@skiff/apimachinery';
import type { AdmissionRequest } from '../contract.ts';

/** What the object will be called, as far as it is known: upstream's errors show the generateName, else "Unknown". */
export function requestedName(r: AdmissionRequest): string {
  if (r.name !== '') return r.name;
  const metadata = (r.object as KubeObject | null)?.metadata;
  return metadata?.name || metadata?.generateName || 'Unknown';
}

/** The 403 of an admission plugin. */
export const refuse = (r: AdmissionRequest, why: string): StatusError =>
  forbidden({ group: r.definition.group, resource: r.definition.plural }, requestedName(r), why);
