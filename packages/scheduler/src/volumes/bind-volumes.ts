import type { PersistentVolume, PersistentVolumeClaim } from '@skiff/api';
import type { Client, Informer } from '@skiff/client';
import type { Clock } from '@skiff/component-base';
import type { PodInfo } from '../framework/pod-info.ts';
import { persistentVolume, persistentVolumeClaim } from '../resource-refs.ts';
import { isBound, selectedNodeAnnotation, type ClaimView, type VolumeView } from './pod-claims.ts';

/** What has to be done on a node before a pod can go there. */
export interface VolumePlan {
  readonly bindings: readonly { readonly claim: ClaimView; readonly volume: VolumeView }[];
  readonly provisions: readonly ClaimView[];
}

export interface BindVolumesDependencies {
  readonly client: Client;
  readonly clock: Clock;
  readonly claims: Informer<PersistentVolumeClaim>;
  readonly volumes: Informer<PersistentVolume>;
}

const bindTimeoutMs = 600_000;

/** Sets volumes aside, asks for those that are to be made, and waits until the volume controller has bound all. Throws when it can't be. */
export async function bindVolumes(
  pod: PodInfo,
  nodeName: string,
  o: { plan: VolumePlan; deps: BindVolumesDependencies; signal: AbortSignal },
): Promise<void> {
  const { plan, deps, signal } = o;
  for (const { claim, volume } of plan.bindings) await setAside(volume, claim, deps.client, signal);
  for (const claim of plan.provisions) await selectNode(claim, nodeName, deps.client, signal);
  const claims = [...plan.bindings.map((b) => b.claim), ...plan.provisions];
  await untilBound(pod, nodeName, { claims, provisions: plan.provisions, deps, signal });
}

async function setAside(volume: VolumeView, claim: ClaimView, client: Client, signal: AbortSignal): Promise<void> {
  if (volume.spec?.claimRef?.uid) return;
  const { namespace, name, uid, resourceVersion } = claim.metadata ?? {};
  const body = {
    metadata: { resourceVersion: volume.metadata?.resourceVersion, annotations: { 'pv.kubernetes.io/bound-by-controller': 'yes' } },
    spec: { claimRef: { apiVersion: 'v1', kind: 'PersistentVolumeClaim', namespace, name, uid, resourceVersion } },
  };
  await client.patch(persistentVolume, { name: volume.metadata?.name ?? '' }, { type: 'merge', body }, { signal });
}

async function selectNode(claim: ClaimView, nodeName: string, client: Client, signal: AbortSignal): Promise<void> {
  const { namespace = '', name = '', resourceVersion, annotations } = claim.metadata ?? {};
  if (annotations?.[selectedNodeAnnotation] === nodeName) return;
  const body = { metadata: { resourceVersion, annotations: { [selectedNodeAnnotation]: nodeName } } };
  await client.patch(persistentVolumeClaim, { namespace, name }, { type: 'merge', body }, { signal });
}

async function untilBound(
  pod: PodInfo,
  nodeName: string,
  o: { claims: readonly ClaimView[]; provisions: readonly ClaimView[]; deps: BindVolumesDependencies; signal: AbortSignal },
): Promise<void> {
  const { claims: informer, clock } = o.deps;
  const provisioned = new Set(o.provisions.map((claim) => claim.metadata?.uid));
  const seenSelected = new Set<string>();
  const isDone = (): boolean =>
    o.claims.every((claim) => {
      const { namespace = '', name = '', uid = '' } = claim.metadata ?? {};
      const current = informer.get({ namespace, name });
      if (current === undefined || current.metadata?.uid !== uid)
        throw new Error(`persistentvolumeclaim "${name}" of pod ${pod.key} is gone`);
      if (isBound(current)) return true;
      const selected = current.metadata?.annotations?.[selectedNodeAnnotation];
      if (selected === nodeName) seenSelected.add(uid);
      // A provisioner that can't do it takes the annotation away: another node is to be tried.
      else if (provisioned.has(uid) && seenSelected.has(uid)) throw new Error(`provisioning failed for PVC "${name}"`);
      return false;
    });
  const { promise, resolve, reject } = withResolvers();
  const check = (): void => {
    try {
      if (isDone()) resolve();
    } catch (error) {
      reject(error);
    }
  };
  const stop = (): void => reject(o.signal.reason);
  using _subscription = informer.subscribe({ onUpdate: check, onDelete: check });
  using _timeout = clock.after(bindTimeoutMs, () => reject(new Error('timed out waiting for volumes to be bound')));
  o.signal.addEventListener('abort', stop, { once: true });
  try {
    if (o.signal.aborted) stop();
    check();
    await promise;
  } finally {
    o.signal.removeEventListener('abort', stop);
  }
}

/** Promise.withResolvers, which Node 20 lacks. */
function withResolvers(): { promise: Promise<void>; resolve: () => void; reject: (reason: unknown) => void } {
  let resolve = (): void => undefined;
  let reject = (_reason: unknown): void => undefined;
  const promise = new Promise<void>((onResolve, onReject) => {
    resolve = onResolve;
    reject = onReject;
  });
  return { promise, resolve, reject };
}
