import { csiDriver as csiDrivers, node as nodes, secret as secrets, volumeAttachment as attachments, type CSIDriver } from '@skiff/api';
import { hasReason, type DeepReadonly } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import type { Clock } from '@skiff/component-base';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import type { ServiceAccountTokens } from '../volumes/service-account-tokens.ts';

type Strings = Readonly<Record<string, string>>;

/** The CSIDriver object; drivers need none. */
export async function readDriver(client: Client, name: string, signal: AbortSignal): Promise<CSIDriver | undefined> {
  return await client.get(csiDrivers, { name }, { signal }).catch((error: unknown) => {
    if (hasReason(error, 'NotFound')) return undefined;
    throw error;
  });
}

export async function readSecret(
  ref: DeepReadonly<{ name?: string; namespace?: string }> | undefined,
  o: { readonly what: string; readonly client: Client; readonly signal: AbortSignal },
): Promise<Strings> {
  if (ref === undefined) return {};
  const { name = '', namespace = '' } = ref;
  const found = await o.client.get(secrets, { namespace, name }, { signal: o.signal }).catch((cause: unknown) => {
    o.signal.throwIfAborted();
    throw new Error(`fetching ${o.what} ${namespace}/${name} failed: ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
  });
  return Object.fromEntries(Object.entries(found.data ?? {}).map(([k, v]) => [k, Buffer.from(v, 'base64').toString()]));
}

const attachTimeoutMs = 120_000;

export interface Attached {
  /** false: the driver says that its volumes are not attached. */
  readonly attachable: boolean;
  /** What the attacher told for the driver. */
  readonly publishContext: Strings;
}
export const notAttached: Attached = { attachable: false, publishContext: {} };

/** Waits until a volume is attached to the node, or need not be any more. Throws with the attacher's error. */
export async function untilAttached(
  name: string,
  o: {
    readonly volumeHandle: string;
    readonly driverName: string;
    readonly client: Client;
    readonly clock: Clock;
    readonly signal: AbortSignal;
  },
): Promise<Attached> {
  const untilMs = o.clock.monotonicMs() + attachTimeoutMs;
  // A node may read only this one object, and not watch it.
  for (let delayMs = 100; ; delayMs = Math.min(delayMs * 1.5, 2_000)) {
    const found = await o.client.get(attachments, { name }, { signal: o.signal }).catch((error: unknown) => {
      // The Node authorizer hides what is not there yet.
      if (hasReason(error, 'NotFound') || hasReason(error, 'Forbidden')) return undefined;
      throw error;
    });
    if (found?.metadata?.deletionTimestamp !== undefined) throw new Error(`volume ${o.volumeHandle} is being detached; trying again`);
    if (found?.status?.attached === true) return { attachable: true, publishContext: found.status.attachmentMetadata ?? {} };
    const failure = found?.status?.attachError?.message;
    if (failure !== undefined) throw new Error(failure);
    // Drivers are often described after their first pods were made.
    if ((await readDriver(o.client, o.driverName, o.signal))?.spec?.attachRequired === false) return notAttached;
    if (o.clock.monotonicMs() > untilMs) throw new Error(`timed out waiting for external-attacher to attach volume ${o.volumeHandle}`);
    await o.clock.sleep(delayMs, o.signal);
  }
}

const reportTimeoutMs = 30_000;

/** Waits until the API has it that the node uses a volume (`node.status.volumesInUse`), so that nobody detaches it any more. Throws when that takes too long. */
export async function untilToldInUse(
  volume: string,
  o: { readonly nodeName: string; readonly client: Client; readonly clock: Clock; readonly signal: AbortSignal },
): Promise<void> {
  const untilMs = o.clock.monotonicMs() + reportTimeoutMs;
  for (let delayMs = 50; ; delayMs = Math.min(delayMs * 1.5, 1_000)) {
    const node = await o.client.get(nodes, { name: o.nodeName }, { signal: o.signal });
    if (node.status?.volumesInUse?.includes(volume) === true) return;
    if (o.clock.monotonicMs() > untilMs) throw new Error(`volume ${volume} is not in the status of node "${o.nodeName}" yet; trying again`);
    await o.clock.sleep(delayMs, o.signal);
  }
}

export const podInfo = (pod: PodSnapshot, isEphemeral: boolean): Strings => ({
  'csi.storage.k8s.io/pod.name': pod.metadata.name,
  'csi.storage.k8s.io/pod.namespace': pod.metadata.namespace,
  'csi.storage.k8s.io/pod.uid': pod.metadata.uid,
  'csi.storage.k8s.io/serviceAccount.name': pod.spec.serviceAccountName ?? '',
  'csi.storage.k8s.io/ephemeral': String(isEphemeral),
});

const expiryOf = (token: string): string => {
  const payload = JSON.parse(Buffer.from(token.split('.')[1] ?? '', 'base64url').toString()) as { exp?: number };
  return new Date((payload.exp ?? 0) * 1000).toISOString().replace(/\.\d+Z$/, 'Z');
};

/** Tokens of the pod's ServiceAccount that the driver asks for. */
export async function podTokens(
  pod: PodSnapshot,
  requests: NonNullable<CSIDriver['spec']>['tokenRequests'],
  o: { readonly tokens: ServiceAccountTokens; readonly signal: AbortSignal },
): Promise<Strings> {
  if (requests === undefined || requests.length === 0) return {};
  const out: Record<string, { token: string; expirationTimestamp: string }> = {};
  for (const { audience, expirationSeconds } of requests) {
    const token = await o.tokens.token(pod, { audience, expirationSeconds: expirationSeconds ?? 3600 }, o.signal);
    out[audience] = { token, expirationTimestamp: expiryOf(token) };
  }
  return { 'csi.storage.k8s.io/serviceAccount.tokens': JSON.stringify(out) };
}
