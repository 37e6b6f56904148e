import { readdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { type Json, type JsonObject, parseYaml } from '@skiff/apimachinery';
import { FlagError, parseDuration } from '@skiff/component-base';

/** One plugin of a CredentialProviderConfig (kubelet.config.k8s.io/v1, KEP-2133). */
export interface ProviderConfig {
  /** The program's file name. */
  readonly name: string;
  readonly matchImages: readonly string[];
  readonly defaultCacheMs: number;
  readonly apiVersion: string;
  readonly args: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly token: TokenAttributes | undefined;
}

/** The plugin gets a token of the pod's ServiceAccount (KEP-4412). */
export interface TokenAttributes {
  readonly audience: string;
  readonly requireServiceAccount: boolean;
  /** What its answers are kept by. */
  readonly cacheType: 'ServiceAccount' | 'Token';
  readonly requiredAnnotations: readonly string[];
  readonly optionalAnnotations: readonly string[];
}

const group = 'kubelet.config.k8s.io';
const kind = 'CredentialProviderConfig';
const protocols = ['v1', 'v1alpha1', 'v1beta1'].map((v) => `credentialprovider.kubelet.k8s.io/${v}`);
const cacheTypes = ['ServiceAccount', 'Token'] as const;
const qualifiedName = /^([a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*\/)?[a-z0-9]([-a-z0-9_.]{0,61}[a-z0-9])?$/i;

const isObject = (v: Json | undefined): v is JsonObject => typeof v === 'object' && v !== null && !Array.isArray(v);

function only(object: JsonObject, keys: readonly string[], where: string): void {
  const unknown = Object.keys(object).find((k) => !keys.includes(k));
  if (unknown !== undefined) throw new Error(`strict decoding error: unknown field "${where}.${unknown}"`);
}
function strings(value: Json | undefined, where: string): readonly string[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value) || !value.every((v) => typeof v === 'string')) throw new Error(`${where}: must be a list of strings`);
  return value as readonly string[];
}

function annotationKeys(value: Json | undefined, where: string): readonly string[] {
  const keys = strings(value, where);
  for (const [i, key] of keys.entries()) {
    if (!qualifiedName.test(key)) throw new Error(`${where}: Invalid value: "${key}": must be a qualified name`);
    if (keys.indexOf(key) !== i) throw new Error(`${where}: Duplicate value: "${key}"`);
  }
  return keys;
}

function tokenAttributesOf(value: Json | undefined, apiVersion: string, where: string): TokenAttributes | undefined {
  if (value === undefined || value === null) return undefined;
  if (!isObject(value)) throw new Error(`${where}: must be an object`);
  const names = ['serviceAccountTokenAudience', 'cacheType', 'requireServiceAccount'] as const;
  only(value, [...names, 'requiredServiceAccountAnnotationKeys', 'optionalServiceAccountAnnotationKeys'], where);
  const [audience, cacheType, requires] = names.map((n) => value[n]);
  if (typeof audience !== 'string' || audience === '') throw new Error(`${where}.serviceAccountTokenAudience: Required value`);
  if (typeof requires !== 'boolean') throw new Error(`${where}.requireServiceAccount: Required value`);
  if (apiVersion !== protocols[0])
    throw new Error(`${where}: Forbidden: tokenAttributes is only supported for ${protocols[0]} API version`);
  const requiredAnnotations = annotationKeys(
    value['requiredServiceAccountAnnotationKeys'],
    `${where}.requiredServiceAccountAnnotationKeys`,
  );
  const optionalAnnotations = annotationKeys(
    value['optionalServiceAccountAnnotationKeys'],
    `${where}.optionalServiceAccountAnnotationKeys`,
  );
  if (!requires && requiredAnnotations.length > 0)
    throw new Error(
      `${where}.requiredServiceAccountAnnotationKeys: Forbidden: requireServiceAccount cannot be false when requiredServiceAccountAnnotationKeys is set`,
    );
  if (requiredAnnotations.some((k) => optionalAnnotations.includes(k)))
    throw new Error(`${where}: Invalid value: annotation keys cannot be both required and optional`);
  const cache = cacheTypes.find((t) => t === cacheType);
  if (cache === undefined) throw new Error(`${where}.cacheType: must be one of ${cacheTypes.join(', ')}`);
  return { audience, requireServiceAccount: requires, cacheType: cache, requiredAnnotations, optionalAnnotations };
}

function providerOf(p: Json, where: string): ProviderConfig {
  if (!isObject(p)) throw new Error(`${where}: must be an object`);
  only(p, ['name', 'matchImages', 'defaultCacheDuration', 'apiVersion', 'args', 'env', 'tokenAttributes'], where);
  const { name, apiVersion, defaultCacheDuration } = p;
  if (typeof name !== 'string' || name === '') throw new Error(`${where}.name: Required value`);
  if (/[/ ]/.test(name) || name === '.' || name === '..')
    throw new Error(`${where}.name: Invalid value: "${name}": provider name cannot be '.' or '..', or contain '/' or spaces`);
  if (typeof apiVersion !== 'string' || !protocols.includes(apiVersion))
    throw new Error(
      `${where}.apiVersion: Unsupported value: ${JSON.stringify(apiVersion ?? '')}: supported values: ${protocols.join(', ')}`,
    );
  const matchImages = strings(p['matchImages'], `${where}.matchImages`);
  if (matchImages.length === 0) throw new Error(`${where}.matchImages: Required value: at least 1 item in matchImages is required`);
  for (const m of matchImages)
    if (m === '' || /[\s?#]|:\/\//.test(m)) throw new Error(`${where}.matchImages: Invalid value: "${m}": match image is invalid`);
  const cacheMs = typeof defaultCacheDuration === 'string' ? parseDuration(defaultCacheDuration) : undefined;
  if (cacheMs === undefined) throw new Error(`${where}.defaultCacheDuration: Required value: a duration such as 12h`);
  if (cacheMs < 0) throw new Error(`${where}.defaultCacheDuration: Invalid value: must be greater than or equal to 0`);
  const env = p['env'] ?? [];
  if (!Array.isArray(env) || !env.every((e) => isObject(e) && typeof e['name'] === 'string'))
    throw new Error(`${where}.env: must be a list of names and values`);
  return {
    name,
    matchImages,
    defaultCacheMs: cacheMs,
    apiVersion,
    args: strings(p['args'], `${where}.args`),
    env: Object.fromEntries((env as JsonObject[]).map((e) => [String(e['name']), String(e['value'] ?? '')])),
    token: tokenAttributesOf(p['tokenAttributes'], apiVersion, `${where}.tokenAttributes`),
  };
}

/** Throws with the field that is wrong. */
export function parseProviderConfig(text: string): readonly ProviderConfig[] {
  const parsed = parseYaml(text);
  if (parsed.yamlError !== undefined) throw new Error(parsed.yamlError);
  const value = parsed.value as Json;
  if (!isObject(value) || value['kind'] !== kind || !String(value['apiVersion']).startsWith(`${group}/v1`))
    throw new Error(`it is not a ${kind} of ${group}/v1`);
  only(value, ['apiVersion', 'kind', 'providers'], kind);
  const { providers } = value;
  if (!Array.isArray(providers) || providers.length === 0)
    throw new Error('providers: Required value: at least 1 item in plugins is required');
  return providers.map((p, i) => providerOf(p, `providers[${i}]`));
}

/** From a file, or from all `.json`, `.yaml` and `.yml` files of a directory in the order of their names. Throws FlagError. */
export function readProviderConfig(file: string, binDirectory: string): readonly ProviderConfig[] {
  const attempt = <T>(what: string, run: () => T): T => {
    try {
      return run();
    } catch (cause) {
      throw new FlagError(`credential provider config ${what}: ${(cause as Error).message}`, { cause });
    }
  };
  const files = attempt(file, () =>
    statSync(file).isDirectory()
      ? readdirSync(file)
          .filter((f) => /\.(json|ya?ml)$/.test(f))
          .sort()
          .map((f) => path.join(file, f))
      : [file],
  );
  if (files.length === 0) throw new FlagError(`no configuration files found in directory "${file}"`);
  const providers = files.flatMap((f) => attempt(f, () => parseProviderConfig(readFileSync(f, 'utf8'))));
  for (const [i, p] of providers.entries()) {
    if (providers.findIndex((q) => q.name === p.name) !== i)
      throw new FlagError(`duplicate provider name "${p.name}" found in configuration file(s)`);
    const program = path.join(binDirectory, p.name);
    const mode = attempt(p.name, () => statSync(program)).mode;
    if ((mode & 0o111) === 0) throw new FlagError(`error inspecting binary executable ${program}: permission denied`);
  }
  return providers;
}
