import { parse } from 'yaml';
import { aesCbc, aesGcm, identity, secretbox, type Transformer, type TransformerChain } from './transformers.ts';

/** How values of a resource (group '' = core) are kept; undefined: as they are. */
export type EncryptionRules = (group: string, resource: string) => TransformerChain | undefined;

export class EncryptionConfigError extends Error {}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (v: unknown): v is Fields => typeof v === 'object' && v !== null && !Array.isArray(v);

const keyMakers = { aescbc: aesCbc, aesgcm: aesGcm, secretbox } as const;
const keySizes = { aescbc: [16, 24, 32], aesgcm: [16, 24, 32], secretbox: [32] } as const;
const neverStored: ReadonlySet<string> = new Set(['apiserveripinfo', 'serviceipallocations', 'servicenodeportallocations']);

function checkKnown(fields: Fields, known: readonly string[], path: string, problems: string[]): void {
  for (const name of Object.keys(fields)) if (!known.includes(name)) problems.push(`${path}.${name}: unknown field`);
}

/** Never names a secret in what it complains about. */
function keysOf(provider: keyof typeof keyMakers, value: unknown, path: string, problems: string[]): Transformer[] {
  const keys = isFields(value) ? value['keys'] : undefined;
  if (isFields(value)) checkKnown(value, ['keys'], path, problems);
  if (!Array.isArray(keys) || keys.length === 0) {
    problems.push(`${path}.keys: Required value: at least one keys is required`);
    return [];
  }
  return keys.flatMap((key: unknown, i) => {
    const at = `${path}.keys[${i}]`;
    const fields = isFields(key) ? key : {};
    checkKnown(fields, ['name', 'secret'], at, problems);
    const { name, secret } = fields;
    if (typeof name !== 'string' || name === '') problems.push(`${at}.name: Required value: name is a mandatory field for a key`);
    if (typeof secret !== 'string' || secret === '') {
      problems.push(`${at}.secret: Required value: secret is a mandatory field for a key`);
      return [];
    }
    const bytes = Buffer.from(secret, 'base64');
    const sizes: readonly number[] = keySizes[provider];
    if (bytes.toString('base64') !== secret.trim())
      problems.push(`${at}.secret: Invalid value: "REDACTED": secrets must be base64 encoded`);
    else if (!sizes.includes(bytes.length))
      problems.push(
        `${at}.secret: Invalid value: "REDACTED": secret is not of the expected length, got ${bytes.length}, expected one of [${sizes.join(' ')}]`,
      );
    else if (typeof name === 'string') return [keyMakers[provider](name, bytes)];
    return [];
  });
}

function providerOf(value: unknown, path: string, problems: string[]): Transformer[] {
  const fields = isFields(value) ? value : {};
  const given = Object.keys(fields);
  const [name] = given;
  if (given.length > 1)
    problems.push(`${path}: more than one provider specified in a single element, should split into different list elements`);
  if (name === 'identity') return [identity];
  if (name === 'kms') problems.push(`${path}.kms: key management services are not supported by this server`);
  else if (name === 'aescbc' || name === 'aesgcm' || name === 'secretbox') return keysOf(name, fields[name], `${path}.${name}`, problems);
  else problems.push(`${path}: provider does not contain any of the expected providers: AESGCM, AESCBC, Secretbox, Identity`);
  return [];
}

/** `deployments.apps` as its two parts; the group behind the first dot. */
function groupResource(text: string): { group: string; resource: string } {
  const dot = text.indexOf('.');
  return dot < 0 ? { group: '', resource: text } : { group: text.slice(dot + 1), resource: text.slice(0, dot) };
}

function checkResources(names: readonly string[], path: string, problems: string[]): void {
  const bad = (i: number, why: string): void => void problems.push(`${path}[${i}]: Invalid value: ${JSON.stringify(names[i])}: ${why}`);
  if (names.length === 0) problems.push(`${path}: Required value: at least one resources is required`);
  if (new Set(names).size < names.length) problems.push(`${path}: the same resource cannot be specified multiple times`);
  for (const [i, name] of names.entries()) {
    const { group, resource } = groupResource(name);
    if (name === '*') bad(i, "use '*.' to encrypt all the resources from core API group or *.* to encrypt all resources");
    else if (name !== name.toLowerCase()) bad(i, 'resource name should not contain capital letters');
    else if (neverStored.has(name)) bad(i, 'resources which do not have REST API/s cannot be encrypted');
    else if (group === 'events.k8s.io')
      bad(i, "'*.events.k8s.io' objects are stored using the 'events' API group in etcd. Use 'events' instead in the config file");
    else if (group === 'extensions') bad(i, "'extensions' group has been removed and cannot be used for encryption");
    else if (group === '*' && resource !== '*') bad(i, 'encrypting the same resource across groups is not supported');
    const masked = names.some((other, j) => j !== i && (other === '*.*' || (resource !== '*' && other === `*.${group}`)));
    if (masked)
      bad(i, "using overlapping resources such as 'secrets' and '*.' in the same resource list is not allowed as they will be masked");
  }
}

/** An EncryptionConfiguration of apiserver.config.k8s.io/v1. Throws EncryptionConfigError with everything that is wrong. */
export function parseEncryptionConfig(text: string): EncryptionRules {
  let root: unknown;
  try {
    root = parse(text, { maxAliasCount: 100 });
  } catch {
    // The parser's message quotes the file.
    throw new EncryptionConfigError('the file is no YAML');
  }
  if (!isFields(root) || root['kind'] !== 'EncryptionConfiguration' || root['apiVersion'] !== 'apiserver.config.k8s.io/v1')
    throw new EncryptionConfigError('it must be an EncryptionConfiguration of apiserver.config.k8s.io/v1');
  const problems: string[] = [];
  checkKnown(root, ['kind', 'apiVersion', 'resources', 'metadata'], 'EncryptionConfiguration', problems);
  const chains = new Map<string, Transformer[]>();
  const entries = Array.isArray(root['resources']) ? root['resources'] : [];
  if (entries.length === 0) problems.push('resources: Required value: at least one resources is required');
  for (const [i, entry] of (entries as unknown[]).entries()) {
    const path = `resources[${i}]`;
    const fields = isFields(entry) ? entry : {};
    checkKnown(fields, ['resources', 'providers'], path, problems);
    const list = fields['resources'];
    const names = Array.isArray(list) ? list.filter((n): n is string => typeof n === 'string') : [];
    checkResources(names, `${path}.resources`, problems);
    const given = fields['providers'];
    if (!Array.isArray(given) || given.length === 0) problems.push(`${path}.providers: Required value: at least one providers is required`);
    const transformers = (Array.isArray(given) ? given : []).flatMap((p: unknown, j) => providerOf(p, `${path}.providers[${j}]`, problems));
    for (const name of names) {
      const { group, resource } = groupResource(name);
      for (const mask of [`*.${group}`, '*.*']) {
        const masking = chains.get(mask);
        if (masking !== undefined) problems.push(`resource ${JSON.stringify(name)} is masked by earlier rule ${JSON.stringify(mask)}`);
      }
      const key = `${resource}.${group}`;
      chains.set(key, [...(chains.get(key) ?? []), ...transformers]);
    }
  }
  if (problems.length > 0) throw new EncryptionConfigError(problems.join('; '));
  return (group, resource) => {
    const chain = chains.get(`${resource}.${group}`) ?? chains.get(`*.${group}`) ?? chains.get('*.*');
    return chain?.[0] === undefined ? undefined : [chain[0], ...chain.slice(1)];
  };
}
