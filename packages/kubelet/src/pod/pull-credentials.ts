import { type Keyring, keyringOf, lookUp } from '../images/keyring.ts';
import type { CredentialProviders } from '../images/providers/credential-providers.ts';
import type { CredentialLookup } from '../images/puller.ts';
import type { PodObjects } from '../objects/pod-objects.ts';
import type { PodEvent } from './pod-context.ts';
import type { PodSnapshot } from './pod-snapshot.ts';

export interface PullCredentialDependencies {
  readonly objects: PodObjects;
  readonly event: PodEvent;
  /** Credentials of the node itself. */
  readonly nodeKeyring: () => Promise<Keyring>;
  readonly providers: CredentialProviders;
}

/** Pull secrets that can be read; the others are named in an event, since the pull may still work. */
async function secretKeyring(pod: PodSnapshot, deps: PullCredentialDependencies): Promise<Keyring> {
  const objects = deps.objects.of(pod.metadata.uid);
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
    deps.event(pod, 'Warning', 'FailedToRetrieveImagePullSecret', text);
  }
  return keyringOf(found.flat());
}

/** What a pod can show a registry: its pull secrets first, then what the node has, then what plugins say. Secrets are read once. */
export function pullCredentials(pod: PodSnapshot, deps: PullCredentialDependencies): CredentialLookup {
  let secrets: Promise<Keyring> | undefined;
  const { name, namespace, uid } = pod.metadata;
  const user = { name, namespace, uid, serviceAccountName: pod.spec.serviceAccountName ?? '' };
  return async (image) => {
    secrets ??= secretKeyring(pod, deps);
    const [own, node, provided] = await Promise.all([secrets, deps.nodeKeyring(), deps.providers.credentials(image, user)]);
    return [...lookUp(own, image), ...lookUp(node, image), ...provided];
  };
}
