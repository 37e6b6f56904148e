import { readFileSync } from 'node:fs';
import { dirname, resolve } from 'node:path';
import { parse } from 'yaml';

/** A server outside the cluster that this one calls: what a kubeconfig's current context says. */
export interface RemoteServer {
  readonly url: URL;
  /** PEM; undefined: the system's authorities. */
  readonly ca: string | undefined;
  readonly cert: string | undefined;
  readonly key: string | undefined;
  /** Read for each call where it comes from a file: such tokens are renewed. */
  readonly token: () => string | undefined;
  readonly serverName: string | undefined;
  readonly insecure: boolean;
}

export class RemoteConfigError extends Error {}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (v: unknown): v is Fields => typeof v === 'object' && v !== null && !Array.isArray(v);

function entry(root: Fields, list: string, inner: string, name: string): Fields {
  const entries = root[list];
  const found: unknown = Array.isArray(entries) ? entries.find((e: unknown) => isFields(e) && e['name'] === name) : undefined;
  const value = isFields(found) ? found[inner] : undefined;
  if (!isFields(value)) throw new RemoteConfigError(`${list} has no entry ${JSON.stringify(name)}`);
  return value;
}

const text = (fields: Fields, name: string): string | undefined => {
  const value = fields[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw new RemoteConfigError(`${name} must be a string`);
  return value;
};

function pem(fields: Fields, name: string, directory: string): string | undefined {
  const data = text(fields, `${name}-data`);
  if (data !== undefined) return Buffer.from(data, 'base64').toString('utf8');
  const file = text(fields, name);
  return file === undefined ? undefined : readFileSync(resolve(directory, file), 'utf8');
}

/** A kubeconfig's current context, or its only cluster. Throws RemoteConfigError. */
export function parseRemoteServer(document: string, directory: string): RemoteServer {
  const root: unknown = parse(document, { maxAliasCount: 100 });
  if (!isFields(root)) throw new RemoteConfigError('no mapping at the top');
  const name = text(root, 'current-context');
  if (name === undefined) throw new RemoteConfigError('no current-context');
  const context = entry(root, 'contexts', 'context', name);
  const cluster = entry(root, 'clusters', 'cluster', text(context, 'cluster') ?? '');
  const userName = text(context, 'user');
  const user = userName === undefined ? {} : entry(root, 'users', 'user', userName);
  for (const field of ['exec', 'auth-provider', 'username', 'password']) {
    if (user[field] !== undefined) throw new RemoteConfigError(`users: ${field} is not supported`);
  }
  if (cluster['proxy-url'] !== undefined) throw new RemoteConfigError('clusters: proxy-url is not supported');
  const server = text(cluster, 'server');
  if (server === undefined || !URL.canParse(server) || !/^https?:$/.test(new URL(server).protocol))
    throw new RemoteConfigError('clusters: server must be an http or https URL');
  const token = text(user, 'token');
  const tokenFile = text(user, 'tokenFile');
  const tokenPath = tokenFile === undefined ? undefined : resolve(directory, tokenFile);
  return {
    url: new URL(server),
    ca: pem(cluster, 'certificate-authority', directory),
    cert: pem(user, 'client-certificate', directory),
    key: pem(user, 'client-key', directory),
    token: () => (tokenPath === undefined ? token : readFileSync(tokenPath, 'utf8').trim()),
    serverName: text(cluster, 'tls-server-name'),
    insecure: cluster['insecure-skip-tls-verify'] === true,
  };
}

/** The server that the kubeconfig in `file` names; `flag` is what errors call it. Throws RemoteConfigError. */
export function readRemoteServer(file: string, flag: string): RemoteServer {
  try {
    return parseRemoteServer(readFileSync(file, 'utf8'), dirname(file));
  } catch (error) {
    throw new RemoteConfigError(`--${flag}: ${file}: ${(error as Error).message}`, { cause: error });
  }
}
