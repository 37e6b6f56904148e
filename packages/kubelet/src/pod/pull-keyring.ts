import { type Keyring, keyringOf } from '../images/keyring.ts';
import type { PodContext } from './pod-context.ts';
import type { PodSnapshot } from './pod-snapshot.ts';

/** Pull secrets that can be read; the others are named in an event, since the pull may still work. */
export async function pullKeyring(pod: PodSnapshot, context: Pick<PodContext, 'objects' | 'event' | 'nodeKeyring'>): Promise<Keyring> {
  const objects = context.objects.of(pod.metadata.uid);
  const missing: string[] = [];
  const found = await Promise.all(
    (pod.spec.imagePullSecrets ?? []).map(async ({ name = '' }) => {
      const secret = await objects.secret(pod.metadata.namespace, name).catch(() => undefined);
      if (secret === undefined) missing.push(name);
      return secret === undefined ? [] : [secret];
    }),
  );
  if (missing.length > 0) {
    const text = `Unable to retrieve some image pull secrets (${missing.join(', ')}); attempting to pull the image may not succeed.`;
    context.event(pod, 'Warning', 'FailedToRetrieveImagePullSecret', text);
  }
  return [...keyringOf(found.flat()), ...(await context.nodeKeyring())];
}
