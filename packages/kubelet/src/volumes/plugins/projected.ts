import type { ProjectedVolumeSource, VolumeProjection } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { PayloadFile } from '../atomic-writer.ts';
import { configMapPayload, downwardPayload, secretPayload } from '../payloads.ts';
import { commonUser, type VolumeContext, type VolumePlugin } from '../volume-plugin.ts';
import { defaultFileMode, writePayload } from './payload-volumes.ts';

const defaultTokenSeconds = 3600;

async function project(
  source: DeepReadonly<VolumeProjection>,
  mode: number,
  context: VolumeContext,
): Promise<ReadonlyMap<string, PayloadFile>> {
  const { pod, objects } = context;
  const { namespace } = pod.metadata;
  const select = (o: { items?: DeepReadonly<NonNullable<VolumeProjection['secret']>>['items']; optional?: boolean }) => ({
    items: o.items,
    defaultMode: mode,
    optional: o.optional ?? false,
  });
  if (source.configMap !== undefined) {
    const name = source.configMap.name ?? '';
    return configMapPayload(await objects.configMap(namespace, name), name, select(source.configMap));
  }
  if (source.secret !== undefined) {
    const name = source.secret.name ?? '';
    return secretPayload(await objects.secret(namespace, name), name, select(source.secret));
  }
  if (source.downwardAPI !== undefined) return downwardPayload(source.downwardAPI.items ?? [], mode, context);
  if (source.serviceAccountToken !== undefined) {
    const { path, audience, expirationSeconds } = source.serviceAccountToken;
    const token = await context.tokens.token(
      pod,
      { audience, expirationSeconds: expirationSeconds ?? defaultTokenSeconds },
      context.signal,
    );
    const uid = commonUser(pod);
    // Where one user or group owns it, nobody else reads it.
    const restricted = uid !== undefined || pod.spec.securityContext?.fsGroup !== undefined;
    return new Map([[path, { data: Buffer.from(token), mode: restricted ? 0o600 : mode, ...(uid === undefined ? {} : { uid }) }]]);
  }
  const kind = source.clusterTrustBundle !== undefined ? 'clusterTrustBundle' : 'podCertificate';
  throw new Error(`projected volume source ${kind} is not supported by this kubelet`);
}

/** Several sources in one directory; a later one wins where two have the same path. */
export const projected: VolumePlugin<ProjectedVolumeSource> = {
  name: 'projected',
  refreshes: true,
  needsAddresses: (source) =>
    (source.sources ?? []).some((s) => (s.downwardAPI?.items ?? []).some((i) => i.fieldRef?.fieldPath.startsWith('status.') === true)),
  setUp: async (source, context) => {
    const mode = source.defaultMode ?? defaultFileMode;
    const parts = await Promise.all((source.sources ?? []).map((s) => project(s, mode, context)));
    const payload = new Map(parts.flatMap((p) => [...p]));
    return writePayload(context, { plugin: 'projected', memory: true, payload });
  },
};
