import path from 'node:path';
import { serviceAccount as serviceAccounts } from '@skiff/api';
import type { Client } from '@skiff/client';
import type { Clock, Logger } from '@skiff/component-base';
import type { Image, ImageService } from '@skiff/cri';
import type { KubeletConfig } from './config/kubelet-config.ts';
import type { HostMount } from './host/host-mount.ts';
import { createImageManager, type ImageManager } from './images/image-manager.ts';
import { readNodeKeyring } from './images/node-keyring.ts';
import { createCredentialProviders } from './images/providers/credential-providers.ts';
import { runPlugin } from './images/providers/run-plugin.ts';
import type { CredentialLookup } from './images/puller.ts';
import { createPullRecords, type PullRecords } from './images/pull-records.ts';
import { createRegistryMirrors } from './images/registry-mirrors.ts';
import type { PodObjects } from './objects/pod-objects.ts';
import type { PodEvent } from './pod/pod-context.ts';
import type { PodSnapshot } from './pod/pod-snapshot.ts';
import { pullCredentials } from './pod/pull-credentials.ts';
import { createImageVolumes, type ImageVolumes } from './volumes/image-volumes.ts';
import type { ServiceAccountTokens } from './volumes/service-account-tokens.ts';

/** Everything that fetches images and knows who may use them. */
export interface NodeImages {
  readonly manager: ImageManager;
  readonly records: PullRecords;
  readonly volumes: ImageVolumes;
  credentials(pod: PodSnapshot): CredentialLookup;
}

/** Seconds; upstream asks for the API's default, an hour. */
const pluginTokenSeconds = 3600;

export function createNodeImages(
  config: KubeletConfig,
  deps: {
    readonly images: ImageService;
    /** The runtime takes mounts that name images. */
    readonly imageMounts: boolean;
    readonly client: Client;
    readonly objects: PodObjects;
    readonly tokens: ServiceAccountTokens;
    readonly hostMount: HostMount;
    readonly event: PodEvent;
    readonly pod: (uid: string) => PodSnapshot | undefined;
    readonly onPulled: (image: Image, tookMs: number) => void;
    readonly clock: Clock;
    readonly log: Logger;
  },
): NodeImages {
  const { images, client, objects, event, hostMount, clock, log } = deps;
  const { rootDirectory } = config;
  const inRoot = (name: string): string => path.join(rootDirectory, name);
  const records = createPullRecords(
    { file: inRoot('image-pulls.json'), intentsFile: inRoot('image-pulls-begun.json'), policy: config.imageVerification },
    log,
  );
  const manager = createImageManager(
    { maxParallelPulls: config.maxParallelPulls },
    { images, records, sources: createRegistryMirrors(config.registryMirrorsFile), clock, onPulled: deps.onPulled },
  );
  const { providers, binDirectory } = config.credentialProviders;
  const plugins = createCredentialProviders(providers, {
    run: (p, request) => runPlugin(p, { binDirectory, request }),
    serviceAccount: async (namespace, name) => {
      const { metadata } = await client.get(serviceAccounts, { namespace, name });
      return { uid: metadata?.uid ?? '', annotations: metadata?.annotations ?? {} };
    },
    token: async (user, audience) => {
      const pod = deps.pod(user.uid);
      if (pod === undefined) throw new Error(`pod ${user.namespace}/${user.name} is not on this node any more`);
      return deps.tokens.token(pod, { audience, expirationSeconds: pluginTokenSeconds }, AbortSignal.timeout(30_000));
    },
    clock,
    log,
  });
  const credentials = (pod: PodSnapshot): CredentialLookup =>
    pullCredentials(pod, { objects, event, nodeKeyring: () => readNodeKeyring(rootDirectory), providers: plugins });
  return {
    manager,
    records,
    credentials,
    volumes: createImageVolumes({ rootDirectory }, { manager, images, runtimeMounts: deps.imageMounts, hostMount, credentials, event }),
  };
}
