import { namespace, type Namespace } from '@skiff/api';
import { forbidden, notFound, StatusError } from '@skiff/apimachinery';
import type { AdmissionRequest, ObjectAccess } from '../contract.ts';
import { type AdmissionPlugin, isFor } from './plugin.ts';
import { refuse } from './refuse.ts';

const immortal: ReadonlySet<string> = new Set(['default', 'kube-system', 'kube-public']);

function terminating(r: AdmissionRequest): StatusError {
  const error = refuse(r, `unable to create new content in namespace ${r.namespace} because it is being terminated`);
  return new StatusError('Forbidden', error.message, {
    details: {
      ...error.details,
      causes: [{ reason: 'NamespaceTerminating', message: `namespace ${r.namespace} is being terminated`, field: 'metadata.namespace' }],
    },
  });
}

/** Nothing is written into namespaces that don't exist, nothing created in those that end, and the system's can't be deleted. */
export const namespaceLifecycle = (objects: ObjectAccess): AdmissionPlugin => {
  const check = async (r: AdmissionRequest): Promise<void> => {
    if (isFor(r, '', 'namespaces')) {
      if (r.operation === 'DELETE' && immortal.has(r.name)) {
        throw forbidden({ group: '', resource: 'namespaces' }, r.name, 'this namespace may not be deleted');
      }
      return;
    }
    if (r.operation === 'DELETE' || r.operation === 'CONNECT') return;
    let found = objects.get<Namespace>(namespace, '', r.namespace);
    // The cache may not have seen yet that the namespace was made or marked.
    found ??= await objects.read<Namespace>(namespace, '', r.namespace);
    if (found === undefined) throw notFound({ group: '', resource: 'namespaces' }, r.namespace);
    if (r.operation === 'CREATE' && r.subresource === '' && found.status?.phase === 'Terminating') throw terminating(r);
  };
  return {
    name: 'NamespaceLifecycle',
    handles: (r) =>
      isFor(r, '', 'namespaces') ||
      (r.namespace !== '' && r.definition.plural !== 'localsubjectaccessreviews' && r.definition.plural !== 'namespaces'),
    mutate: check,
  };
};
