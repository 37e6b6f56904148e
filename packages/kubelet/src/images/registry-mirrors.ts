import { readFile } from 'node:fs/promises';
import { type Json, type JsonObject, parseYaml } from '@skiff/apimachinery';
import { repositoryOf } from './keyring.ts';

/** Another place to get an image from. */
export interface MirrorName {
  readonly name: string;
  /** May also be shown the credentials for the image's own registry. */
  readonly originCredentials: boolean;
}

export interface ImageSources {
  /** In the order in which they are asked. */
  readonly mirrors: readonly MirrorName[];
  /** Whether the image's own registry is asked after them. */
  readonly origin: boolean;
}

interface Registry {
  readonly mirrors: readonly { readonly prefix: string; readonly originCredentials: boolean }[];
  readonly origin: boolean;
}
type Registries = ReadonlyMap<string, Registry>;

const apiVersion = 'kubelet.skiff.dev/v1';
const kind = 'RegistryMirrors';
const everyOther = '*';
const maxMirrors = 10;
/** As a part of image names: lower-case host, port and path. */
const validHost = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?$/;
const validPrefix = /^[a-z0-9]([a-z0-9.-]*[a-z0-9])?(:\d{1,5})?(\/[a-z0-9]+([._-]+[a-z0-9]+)*)*$/;

const isObject = (v: Json | undefined): v is JsonObject => typeof v === 'object' && v !== null && !Array.isArray(v);

function only(object: JsonObject, keys: readonly string[], where: string): void {
  const unknown = Object.keys(object).find((k) => !keys.includes(k));
  if (unknown !== undefined) throw new Error(`${where}: unknown field "${unknown}"`);
}
function choice<T extends string>(value: Json | undefined, choices: readonly [T, ...T[]], where: string): T {
  if (value === undefined) return choices[0];
  const found = choices.find((c) => c === value);
  if (found === undefined) throw new Error(`${where}: ${JSON.stringify(value)} is none of ${choices.join(', ')}`);
  return found;
}
function objects(value: Json | undefined, where: string): readonly JsonObject[] {
  if (!Array.isArray(value) || !value.every(isObject)) throw new Error(`${where}: must be a list of objects`);
  return value;
}

/** Throws with the field that is wrong. */
export function parseRegistryMirrors(text: string): Registries {
  const parsed = parseYaml(text);
  if (parsed.yamlError !== undefined) throw new Error(parsed.yamlError);
  const value = parsed.value as Json;
  if (!isObject(value) || value['kind'] !== kind || value['apiVersion'] !== apiVersion)
    throw new Error(`it is not a ${kind} of ${apiVersion}`);
  only(value, ['apiVersion', 'kind', 'registries'], kind);
  const registries = new Map<string, Registry>();
  for (const [i, r] of objects(value['registries'], 'registries').entries()) {
    const where = `registries[${i}]`;
    only(r, ['host', 'mirrors', 'origin'], where);
    const host = r['host'];
    if (typeof host !== 'string' || (host !== everyOther && !validHost.test(host)))
      throw new Error(`${where}.host: must be a registry's host[:port], or "*" for all that are not named`);
    if (registries.has(host)) throw new Error(`${where}.host: "${host}" is there twice`);
    const mirrors = objects(r['mirrors'], `${where}.mirrors`);
    if (mirrors.length > maxMirrors) throw new Error(`${where}.mirrors: more than ${maxMirrors}`);
    registries.set(host, {
      origin: choice(r['origin'], ['Fallback', 'Never'], `${where}.origin`) === 'Fallback',
      mirrors: mirrors.map((m, j) => {
        const at = `${where}.mirrors[${j}]`;
        only(m, ['host', 'credentials'], at);
        if (typeof m['host'] !== 'string' || !validPrefix.test(m['host']))
          throw new Error(`${at}.host: must be host[:port][/path], without a scheme (the engine's insecure-registries name those of http)`);
        return { prefix: m['host'], originCredentials: choice(m['credentials'], ['Own', 'Origin'], `${at}.credentials`) === 'Origin' };
      }),
    });
  }
  return registries;
}

/** What follows the repository: `:tag`, `@digest`, both, or `:latest`. */
function referenceOf(image: string): string {
  const at = image.indexOf('@');
  const digest = at < 0 ? '' : image.slice(at);
  const tag = /:[^:/]*$/.exec(at < 0 ? image : image.slice(0, at))?.[0] ?? '';
  return `${tag}${digest}` === '' ? ':latest' : `${tag}${digest}`;
}

/** Where an image may come from. */
export function sourcesOf(registries: Registries, image: string): ImageSources {
  const repository = repositoryOf(image);
  const slash = repository.indexOf('/');
  const host = repository.slice(0, slash);
  const found = registries.get(host) ?? registries.get(everyOther);
  if (found === undefined) return { mirrors: [], origin: true };
  // A registry is no mirror of itself.
  const mirrors = found.mirrors.filter((m) => m.prefix !== host);
  return {
    origin: found.origin || mirrors.length < found.mirrors.length,
    mirrors: mirrors.map((m) => ({
      name: `${m.prefix}${repository.slice(slash)}${referenceOf(image)}`,
      originCredentials: m.originCredentials,
    })),
  };
}

/** Reads the file again for each image, so that a change of it counts at once. Throws when the file is there and wrong. */
export function createRegistryMirrors(file: string): (image: string) => Promise<ImageSources> {
  let known: { readonly text: string; readonly registries: Registries } | undefined;
  return async (image) => {
    const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return undefined;
      throw error;
    });
    if (text === undefined) return { mirrors: [], origin: true };
    if (known?.text !== text) {
      try {
        known = { text, registries: parseRegistryMirrors(text) };
      } catch (error) {
        throw new Error(`${file}: ${(error as Error).message}`, { cause: error });
      }
    }
    return sourcesOf(known.registries, image);
  };
}
