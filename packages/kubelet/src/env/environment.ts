import type { ConfigMap, Secret } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { ContainerSpec, PodSnapshot } from '../pod/pod-snapshot.ts';
import { expandVariables } from './expand.ts';
import { type PodAddresses, readPodField } from './field-ref.ts';
import { readResourceField, type ResourceList } from './resource-field-ref.ts';

/** Objects that pods refer to. undefined: there is no such object. Throws when that can't be found out. */
export interface ReferencedObjects {
  configMap(namespace: string, name: string): Promise<DeepReadonly<ConfigMap> | undefined>;
  secret(namespace: string, name: string): Promise<DeepReadonly<Secret> | undefined>;
}

export interface EnvironmentInput {
  readonly pod: PodSnapshot;
  readonly container: ContainerSpec;
  readonly addresses: PodAddresses;
  readonly allocatable: ResourceList;
  readonly serviceEnv: ReadonlyMap<string, string>;
  readonly objects: ReferencedObjects;
  /** Text of a file of a volume, for fileKeyRef. */
  readonly readVolumeFile?: (volumeName: string, path: string) => Promise<string>;
}

const missingObject = (kind: 'configmap' | 'secret', name: string): Error => new Error(`${kind} "${name}" not found`);
const decode = (base64: string): string => Buffer.from(base64, 'base64').toString('utf8');

async function addFrom(o: EnvironmentInput, env: Map<string, string>): Promise<void> {
  const { namespace } = o.pod.metadata;
  for (const from of o.container.envFrom ?? []) {
    const ref = from.configMapRef ?? from.secretRef;
    const name = ref?.name ?? '';
    let data: Readonly<Record<string, string>>;
    if (from.configMapRef !== undefined) {
      const found = await o.objects.configMap(namespace, name);
      if (found === undefined && ref?.optional !== true) throw missingObject('configmap', name);
      data = found?.data ?? {};
    } else if (from.secretRef !== undefined) {
      const found = await o.objects.secret(namespace, name);
      if (found === undefined && ref?.optional !== true) throw missingObject('secret', name);
      data = Object.fromEntries(Object.entries(found?.data ?? {}).map(([k, v]) => [k, decode(v)]));
    } else continue;
    for (const [key, value] of Object.entries(data)) env.set(`${from.prefix ?? ''}${key}`, value);
  }
}

/** The value of one variable with a source; undefined leaves it out (optional and absent). */
async function resolveSource(
  o: EnvironmentInput,
  source: NonNullable<NonNullable<ContainerSpec['env']>[number]['valueFrom']>,
): Promise<string | undefined> {
  const { namespace } = o.pod.metadata;
  if (source.fieldRef !== undefined) return readPodField(o.pod, source.fieldRef.fieldPath, o.addresses);
  if (source.resourceFieldRef !== undefined) {
    return readResourceField(source.resourceFieldRef, o.pod, { container: o.container, allocatable: o.allocatable });
  }
  if (source.configMapKeyRef !== undefined) {
    const { name = '', key, optional } = source.configMapKeyRef;
    const found = await o.objects.configMap(namespace, name);
    if (found === undefined && optional !== true) throw missingObject('configmap', name);
    const value = found?.data?.[key];
    if (value === undefined && optional !== true) throw new Error(`couldn't find key ${key} in ConfigMap ${namespace}/${name}`);
    return value;
  }
  if (source.secretKeyRef !== undefined) {
    const { name = '', key, optional } = source.secretKeyRef;
    const found = await o.objects.secret(namespace, name);
    if (found === undefined && optional !== true) throw missingObject('secret', name);
    const value = found?.data?.[key];
    if (value === undefined && optional !== true) throw new Error(`couldn't find key ${key} in Secret ${namespace}/${name}`);
    return value === undefined ? undefined : decode(value);
  }
  if (source.fileKeyRef !== undefined) {
    const { volumeName, path, key, optional } = source.fileKeyRef;
    const text = o.readVolumeFile === undefined ? '' : await o.readVolumeFile(volumeName, path);
    const value = parseEnvFile(text).get(key);
    if (value === undefined && optional !== true) throw new Error(`environment variable key "${key}" not found in file "${path}"`);
    return value;
  }
  return '';
}

/** `NAME=value` lines, with comments and simple quoting (KEP-3721). */
function parseEnvFile(text: string): Map<string, string> {
  const env = new Map<string, string>();
  for (const line of text.split('\n')) {
    // No expression: those that trim by backtracking take seconds for a long line of spaces.
    const at = line.indexOf('=');
    const name = line.slice(0, Math.max(at, 0)).trim();
    if (name === '' || name.startsWith('#')) continue;
    const value = line.slice(at + 1).trim();
    const quote = value.at(0);
    const isQuoted = value.length > 1 && (quote === '"' || quote === "'") && value.at(-1) === quote;
    env.set(name, isQuoted ? value.slice(1, -1) : value);
  }
  return env;
}

/**
 * A container's whole environment, in order: Services' variables, then its own (which win). `value`s may refer to what comes
 * before them. Throws with upstream's texts; the container then waits with CreateContainerConfigError.
 */
export async function makeEnvironment(o: EnvironmentInput): Promise<Map<string, string>> {
  const own = new Map<string, string>();
  await addFrom(o, own);
  const lookup = (name: string): string | undefined => own.get(name) ?? o.serviceEnv.get(name);
  for (const { name, value, valueFrom } of o.container.env ?? []) {
    if (value !== undefined && value !== '') own.set(name, expandVariables(value, lookup));
    else if (valueFrom === undefined) own.set(name, '');
    else {
      const resolved = await resolveSource(o, valueFrom);
      if (resolved !== undefined) own.set(name, resolved);
    }
  }
  return new Map([...[...o.serviceEnv].filter(([name]) => !own.has(name)), ...own]);
}
