import { isDeepStrictEqual } from 'node:util';
import type { DeepReadonly, KubeObject, OwnerReference, ResourceDefinition } from '@skiff/apimachinery';
import type { AuthorizationAttributes, Authorizer } from '../authz/authorizer.ts';
import type { AdmissionRequest } from '../contract.ts';
import type { AdmissionPlugin } from './plugin.ts';
import { refuse } from './refuse.ts';

type Refs = readonly DeepReadonly<OwnerReference>[];
const refsOf = (o: unknown): Refs => (o as DeepReadonly<KubeObject> | null)?.metadata?.ownerReferences ?? [];

/** References that now hold up their owner's deletion and didn't before. */
function newlyBlocking(r: AdmissionRequest): Refs {
  const before = new Map(refsOf(r.oldObject).map((ref) => [ref.uid, ref.blockOwnerDeletion === true]));
  return refsOf(r.object).filter((ref) => ref.blockOwnerDeletion === true && before.get(ref.uid) !== true);
}

/**
 * Whoever makes an object another's dependant can have it deleted, and hold up its owner's deletion: both need the rights for it.
 * Off by default, as upstream.
 */
export const ownerReferencesPermissionEnforcement = (
  authorizer: () => Authorizer,
  definitions: () => readonly ResourceDefinition[],
): AdmissionPlugin => {
  const ask = async (
    r: AdmissionRequest,
    a: Partial<AuthorizationAttributes>,
  ): Promise<{ readonly allowed: boolean; readonly reason: string }> => {
    const d = await authorizer().authorize({
      user: r.user,
      verb: 'update',
      isResourceRequest: true,
      path: '',
      group: '',
      version: '',
      resource: '',
      subresource: '',
      namespace: '',
      name: '',
      ...a,
    });
    return { allowed: d.decision === 'allow', reason: d.reason };
  };

  const checkOwner = async (r: AdmissionRequest, ref: DeepReadonly<OwnerReference>): Promise<void> => {
    const [group, version] = ref.apiVersion.includes('/') ? (ref.apiVersion.split('/') as [string, string]) : ['', ref.apiVersion];
    const owners = definitions().filter((d) => d.group === group && d.version === version && d.kind === ref.kind);
    if (owners.length === 0) {
      const unknown = `no matches for kind ${JSON.stringify(ref.kind)} in version ${JSON.stringify(ref.apiVersion)}`;
      throw refuse(
        r,
        `cannot set blockOwnerDeletion in this case because cannot find RESTMapping for APIVersion ${ref.apiVersion} Kind ${ref.kind}: ${unknown}`,
      );
    }
    for (const d of owners) {
      const namespace = d.scope === 'Namespaced' ? r.namespace : '';
      const { allowed, reason } = await ask(r, {
        group,
        version,
        resource: d.plural,
        subresource: 'finalizers',
        name: ref.name,
        namespace,
      });
      if (allowed) continue;
      throw refuse(
        r,
        `cannot set blockOwnerDeletion if an ownerReference refers to a resource you can't set finalizers on: ${reason}, <nil>`,
      );
    }
  };

  return {
    name: 'OwnerReferencesPermissionEnforcement',
    handles: (r) =>
      (r.operation === 'CREATE' || r.operation === 'UPDATE') &&
      !(r.definition.group === '' && r.definition.plural === 'pods' && r.subresource === 'status'),
    validate: async (r) => {
      if (isDeepStrictEqual(refsOf(r.object), refsOf(r.oldObject))) return;
      if (r.operation === 'UPDATE') {
        const { group, version, plural } = r.definition;
        const target = { group, version, resource: plural, subresource: r.subresource, namespace: r.namespace, name: r.name };
        const { allowed, reason } = await ask(r, { verb: 'delete', ...target });
        if (!allowed) throw refuse(r, `cannot set an ownerRef on a resource you can't delete: ${reason}, <nil>`);
      }
      const blocking = newlyBlocking(r);
      if (blocking.length === 0) return;
      if ((await ask(r, { group: '*', version: '*', resource: '*', subresource: 'finalizers', name: '*' })).allowed) return;
      for (const ref of blocking) await checkOwner(r, ref);
    },
  };
};
