import type { KeyToPath } from '@skiff/api';
import type { ConfigMap, DownwardAPIVolumeFile, Secret } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { type PodAddresses, readPodField } from '../env/field-ref.ts';
import { readResourceField, type ResourceList } from '../env/resource-field-ref.ts';
import type { PodSnapshot } from '../pod/pod-snapshot.ts';
import type { PayloadFile } from './atomic-writer.ts';

export interface KeySelection {
  readonly items: readonly DeepReadonly<KeyToPath>[] | undefined;
  readonly defaultMode: number;
  readonly optional: boolean;
}

/** Picks keys: all, or those of `items` under their paths. */
function selectKeys(data: ReadonlyMap<string, Buffer>, o: KeySelection & { missing: (key: string) => string }): Map<string, PayloadFile> {
  const out = new Map<string, PayloadFile>();
  if (o.items === undefined || o.items.length === 0) {
    for (const [key, value] of data) out.set(key, { data: value, mode: o.defaultMode });
    return out;
  }
  for (const item of o.items) {
    const value = data.get(item.key);
    if (value !== undefined) out.set(item.path, { data: value, mode: item.mode ?? o.defaultMode });
    else if (!o.optional) throw new Error(o.missing(item.key));
  }
  return out;
}

export function configMapPayload(found: DeepReadonly<ConfigMap> | undefined, name: string, o: KeySelection): Map<string, PayloadFile> {
  if (found === undefined && !o.optional) throw new Error(`configmap "${name}" not found`);
  const data = new Map<string, Buffer>();
  for (const [k, v] of Object.entries(found?.data ?? {})) data.set(k, Buffer.from(v));
  for (const [k, v] of Object.entries(found?.binaryData ?? {})) data.set(k, Buffer.from(v, 'base64'));
  return selectKeys(data, { ...o, missing: (key) => `configmap references non-existent config key: ${key}` });
}

export function secretPayload(found: DeepReadonly<Secret> | undefined, name: string, o: KeySelection): Map<string, PayloadFile> {
  if (found === undefined && !o.optional) throw new Error(`secret "${name}" not found`);
  const data = new Map(Object.entries(found?.data ?? {}).map(([k, v]) => [k, Buffer.from(v, 'base64')]));
  return selectKeys(data, { ...o, missing: (key) => `references non-existent secret key: ${key}` });
}

export interface DownwardContext {
  readonly pod: PodSnapshot;
  readonly addresses: PodAddresses;
  readonly allocatable: ResourceList;
}

export function downwardPayload(
  items: readonly DeepReadonly<DownwardAPIVolumeFile>[],
  defaultMode: number,
  o: DownwardContext,
): Map<string, PayloadFile> {
  const out = new Map<string, PayloadFile>();
  for (const item of items) {
    let text: string;
    if (item.fieldRef !== undefined) {
      text = readPodField(o.pod, item.fieldRef.fieldPath, o.addresses);
    } else if (item.resourceFieldRef !== undefined) {
      text = readResourceField(item.resourceFieldRef, o.pod, { container: undefined, allocatable: o.allocatable });
    } else continue;
    out.set(item.path, { data: Buffer.from(text), mode: item.mode ?? defaultMode });
  }
  return out;
}
