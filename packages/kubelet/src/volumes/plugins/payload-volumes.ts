import { chmod, chown, mkdir } from 'node:fs/promises';
import type { ConfigMapVolumeSource, DownwardAPIVolumeSource, SecretVolumeSource } from '@skiff/api';
import { type Payload, writeAtomically } from '../atomic-writer.ts';
import { configMapPayload, downwardPayload, secretPayload } from '../payloads.ts';
import { type MountedVolume, readOnlyOwnership, type VolumeContext, type VolumePlugin } from '../volume-plugin.ts';

/** Upstream's default for files of such volumes. */
export const defaultFileMode = 0o644;

/** Writes a payload where the volume lives: on disk, or in the pod's tmpfs. */
export async function writePayload(
  context: VolumeContext,
  o: { plugin: string; memory: boolean; payload: Payload },
): Promise<MountedVolume> {
  const { paths, name, pod, clock } = context;
  if (o.memory) await context.ensureMemory();
  const target = o.memory ? paths.memoryVolume(o.plugin, name) : paths.volume(o.plugin, name);
  const ownership = readOnlyOwnership(pod);
  const local = context.hostMount.local(target);
  if ((await mkdir(local, { recursive: true })) !== undefined) {
    if (ownership !== undefined) await chown(local, 0, ownership.gid);
    await chmod(local, ownership === undefined ? 0o777 : 0o2777);
  }
  await writeAtomically(local, o.payload, { now: new Date(clock.now()), ...(ownership === undefined ? {} : { ownership }) });
  return { path: target, readOnly: true };
}

export const configMap: VolumePlugin<ConfigMapVolumeSource> = {
  name: 'configmap',
  refreshes: true,
  setUp: async (source, context) => {
    const name = source.name ?? '';
    const found = await context.objects.configMap(context.pod.metadata.namespace, name);
    const payload = configMapPayload(found, name, {
      items: source.items,
      defaultMode: source.defaultMode ?? defaultFileMode,
      optional: source.optional ?? false,
    });
    return writePayload(context, { plugin: 'configmap', memory: false, payload });
  },
};

export const secret: VolumePlugin<SecretVolumeSource> = {
  name: 'secret',
  refreshes: true,
  setUp: async (source, context) => {
    const name = source.secretName ?? '';
    const found = await context.objects.secret(context.pod.metadata.namespace, name);
    const payload = secretPayload(found, name, {
      items: source.items,
      defaultMode: source.defaultMode ?? defaultFileMode,
      optional: source.optional ?? false,
    });
    return writePayload(context, { plugin: 'secret', memory: true, payload });
  },
};

export const downwardAPI: VolumePlugin<DownwardAPIVolumeSource> = {
  name: 'downward-api',
  refreshes: true,
  needsAddresses: (source) => (source.items ?? []).some((i) => i.fieldRef?.fieldPath.startsWith('status.') === true),
  setUp: async (source, context) => {
    const payload = downwardPayload(source.items ?? [], source.defaultMode ?? defaultFileMode, context);
    return writePayload(context, { plugin: 'downward-api', memory: true, payload });
  },
};
