import {
  deployment as deployments,
  replicaSet as replicaSets,
  replicationController as replicationControllers,
  statefulSet as statefulSets,
} from '@skiff/api';
import { formatGroupVersion, parseGroupVersion, type DeepReadonly, type OwnerReference } from '@skiff/apimachinery';
import { controllerOf, refersTo, resourcePath, type Client, type InformerFactory } from '@skiff/client';
import type { Clock } from '@skiff/component-base';
import { createFindResource } from '../find-resource.ts';

export interface ControllerScale {
  readonly uid: string;
  readonly replicas: number;
}
export type FindScale = (
  reference: DeepReadonly<OwnerReference>,
  namespace: string,
  signal: AbortSignal,
) => Promise<ControllerScale | undefined>;

/** How many pods the controller of a pod wants: built-in kinds from the cache, others by their scale subresource. */
export function createFindScale(deps: { client: Client; informers: InformerFactory; clock: Clock }): FindScale {
  const sets = deps.informers.informer(replicaSets);
  const all = {
    rc: deps.informers.informer(replicationControllers),
    stateful: deps.informers.informer(statefulSets),
    deployments: deps.informers.informer(deployments),
  };
  const findResource = createFindResource(deps);

  const live = async (
    reference: DeepReadonly<OwnerReference>,
    namespace: string,
    signal: AbortSignal,
  ): Promise<ControllerScale | undefined> => {
    const resource = await findResource(parseGroupVersion(reference.apiVersion).group, reference.kind, signal);
    if (resource === undefined) return undefined;
    const path = resourcePath(resource, { namespace, name: reference.name, subresource: 'scale' });
    const answer = await deps.client.request({ method: 'GET', path, signal });
    if (answer.code === 404) {
      const what = `${resource.plural}.${formatGroupVersion(resource.group, resource.version)}`;
      throw new Error(`${what} does not implement the scale subresource`);
    }
    if (answer.code >= 400) throw new Error(`GET ${path}: the server answered with code ${answer.code}`);
    const scale = JSON.parse(answer.body.toString('utf8')) as { metadata?: { uid?: string }; spec?: { replicas?: number } };
    return scale.metadata?.uid === reference.uid ? { uid: reference.uid, replicas: scale.spec?.replicas ?? 0 } : undefined;
  };

  return async (reference, namespace, signal) => {
    const key = { namespace, name: reference.name };
    const cached = (
      object: { readonly metadata?: { readonly uid?: string }; readonly spec?: { readonly replicas?: number } } | undefined,
    ): ControllerScale | undefined =>
      object?.metadata?.uid === reference.uid ? { uid: reference.uid, replicas: object.spec?.replicas ?? 1 } : undefined;
    if (refersTo(reference, replicationControllers)) return cached(all.rc.get(key));
    if (refersTo(reference, statefulSets)) return cached(all.stateful.get(key));
    if (refersTo(reference, replicaSets)) {
      const set = sets.get(key);
      const owner = set === undefined ? undefined : controllerOf(set);
      if (owner === undefined || !refersTo(owner, deployments)) return cached(set);
      const deployment = all.deployments.get({ namespace, name: owner.name });
      return deployment?.metadata?.uid === owner.uid ? { uid: owner.uid, replicas: deployment.spec?.replicas ?? 1 } : cached(set);
    }
    return await live(reference, namespace, signal);
  };
}
