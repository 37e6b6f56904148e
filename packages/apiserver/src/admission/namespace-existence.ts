import { namespace, type Namespace } from '@skiff/api';
import { hasReason, notFound } from '@skiff/apimachinery';
import type { AdmissionRequest, ObjectAccess } from '../contract.ts';
import type { AdmissionPlugin } from './plugin.ts';

const inNamespace = (r: AdmissionRequest): boolean =>
  r.namespace !== '' && !(r.definition.group === '' && r.definition.plural === 'namespaces');

/** Makes the namespace that something is created in. Off by default. */
export const namespaceAutoProvision = (objects: ObjectAccess): AdmissionPlugin => ({
  name: 'NamespaceAutoProvision',
  handles: (r) => r.operation === 'CREATE' && !r.dryRun && inNamespace(r),
  mutate: async (r) => {
    if (objects.get<Namespace>(namespace, '', r.namespace) !== undefined) return;
    try {
      await objects.create<Namespace>(namespace, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: r.namespace } });
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error;
    }
  },
});

/** Nothing is written into namespaces that don't exist: a part of NamespaceLifecycle. Off by default. */
export const namespaceExists = (objects: ObjectAccess): AdmissionPlugin => ({
  name: 'NamespaceExists',
  handles: (r) => r.operation !== 'CONNECT' && inNamespace(r),
  validate: async (r) => {
    const found = objects.get<Namespace>(namespace, '', r.namespace) ?? (await objects.read<Namespace>(namespace, '', r.namespace));
    if (found === undefined) throw notFound({ group: '', resource: 'namespaces' }, r.namespace);
  },
});
