import { type Namespace, namespace } from '@skiff/api';
import { type DeepReadonly, notFound } from '@skiff/apimachinery';
import type { AdmissionRequest, ObjectAccess } from '../contract.ts';

/**
 * The namespace that a request's object is in; undefined for cluster-wide objects. The cache may not have seen yet that it was made: then it is
 * read. Rejects with NotFound.
 */
export async function namespaceOfRequest(r: AdmissionRequest, objects: ObjectAccess): Promise<DeepReadonly<Namespace> | undefined> {
  if (r.definition.scope !== 'Namespaced' || r.namespace === '') return undefined;
  const found = objects.get<Namespace>(namespace, '', r.namespace) ?? (await objects.read<Namespace>(namespace, '', r.namespace));
  if (found === undefined) throw notFound({ group: '', resource: 'namespaces' }, r.namespace);
  return found;
}
