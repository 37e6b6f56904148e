import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, isAbsolute, resolve } from 'node:path';
import type * as Yaml from 'yaml';
import type { ClientConfig, PemSource } from './client-config.ts';

export class KubeconfigError extends Error {}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (v: unknown): v is Fields => typeof v === 'object' && v !== null && !Array.isArray(v);

function text(fields: Fields, name: string, where: string): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null || value === '') return undefined;
  if (typeof value !== 'string') throw new KubeconfigError(`${where}.${name} is not a string`);
  return value;
}

/** An entry of one of the named lists: `{ name, [inner]: {…} }`. */
function named(root: Fields, list: string, o: { inner: string; name: string }): Fields {
  const entries = root[list];
  const entry = Array.isArray(entries) ? entries.find((e: unknown) => isFields(e) && e['name'] === o.name) : undefined;
  if (!isFields(entry)) throw new KubeconfigError(`no entry "${o.name}" in ${list}`);
  const inner = entry[o.inner] ?? {};
  if (!isFields(inner)) throw new KubeconfigError(`${list} "${o.name}" has no ${o.inner}`);
  return inner;
}

/** `name-data` (base64) goes before `name` (a file, relative to the kubeconfig). */
function pemSource(fields: Fields, name: string, o: { where: string; directory: string }): PemSource | undefined {
  const data = text(fields, `${name}-data`, o.where);
  if (data !== undefined) return { pem: Buffer.from(data, 'base64').toString('utf8') };
  const file = text(fields, name, o.where);
  return file === undefined ? undefined : { file: isAbsolute(file) ? file : resolve(o.directory, file) };
}

/** Cluster extension with further addresses of the same control plane; other clients ignore it. */
export const serversExtension = 'skiff.io/servers';

function furtherServers(cluster: Fields): readonly string[] {
  const extensions = cluster['extensions'];
  if (!Array.isArray(extensions)) return [];
  const own: unknown = extensions.find((e: unknown) => isFields(e) && e['name'] === serversExtension);
  const servers = isFields(own) && isFields(own['extension']) ? own['extension']['servers'] : undefined;
  return Array.isArray(servers) ? servers.filter((s): s is string => typeof s === 'string') : [];
}

const unsupportedUserFields = ['exec', 'auth-provider', 'username', 'password'] as const;

/** Skiff's own kubeconfigs are JSON, which is YAML; the parser of the rest is loaded for whoever needs it. */
function parseDocument(document: string): unknown {
  if (document.trimStart().startsWith('{')) {
    try {
      return JSON.parse(document);
    } catch {
      // YAML's flow style.
    }
  }
  const { parse } = createRequire(import.meta.url)('yaml') as typeof Yaml;
  return parse(document);
}

/** Parses a kubeconfig document. `directory`: what its relative paths start from. Throws KubeconfigError. */
export function parseKubeconfig(document: string, o: { directory: string; context?: string; userAgent?: string }): ClientConfig {
  const root = parseDocument(document);
  if (!isFields(root)) throw new KubeconfigError('not a kubeconfig: no mapping at the top');
  const contextName = o.context ?? text(root, 'current-context', 'kubeconfig');
  if (contextName === undefined) throw new KubeconfigError('no current-context and none was named');
  const context = named(root, 'contexts', { inner: 'context', name: contextName });
  const clusterName = text(context, 'cluster', 'context');
  if (clusterName === undefined) throw new KubeconfigError(`context "${contextName}" names no cluster`);
  const cluster = named(root, 'clusters', { inner: 'cluster', name: clusterName });
  const userName = text(context, 'user', 'context');
  const user = userName === undefined ? {} : named(root, 'users', { inner: 'user', name: userName });

  const server = text(cluster, 'server', 'cluster');
  if (server === undefined) throw new KubeconfigError(`cluster "${clusterName}" has no server`);
  if (text(cluster, 'proxy-url', 'cluster') !== undefined) throw new KubeconfigError('proxy-url is not supported');
  for (const field of unsupportedUserFields) {
    if (user[field] !== undefined && user[field] !== null && user[field] !== '')
      throw new KubeconfigError(`user field "${field}" is not supported`);
  }
  const at = { directory: o.directory };
  const certificateAuthority = pemSource(cluster, 'certificate-authority', { ...at, where: 'cluster' });
  const clientCertificate = pemSource(user, 'client-certificate', { ...at, where: 'user' });
  const clientKey = pemSource(user, 'client-key', { ...at, where: 'user' });
  const tlsServerName = text(cluster, 'tls-server-name', 'cluster');
  const token = text(user, 'token', 'user');
  const tokenFile = text(user, 'tokenFile', 'user');
  const namespace = text(context, 'namespace', 'context');
  const as = text(user, 'as', 'user');
  const groups = user['as-groups'];
  return {
    servers: [...new Set([server, ...furtherServers(cluster)])],
    ...(certificateAuthority === undefined ? {} : { certificateAuthority }),
    ...(clientCertificate === undefined ? {} : { clientCertificate }),
    ...(clientKey === undefined ? {} : { clientKey }),
    ...(tlsServerName === undefined ? {} : { tlsServerName }),
    ...(cluster['insecure-skip-tls-verify'] === true ? { insecureSkipTlsVerify: true } : {}),
    ...(token === undefined ? {} : { token }),
    ...(tokenFile === undefined ? {} : { tokenFile: isAbsolute(tokenFile) ? tokenFile : resolve(o.directory, tokenFile) }),
    ...(as === undefined
      ? {}
      : {
          impersonate: { user: as, ...(Array.isArray(groups) ? { groups: groups.filter((g): g is string => typeof g === 'string') } : {}) },
        }),
    ...(namespace === undefined ? {} : { namespace }),
    ...(o.userAgent === undefined ? {} : { userAgent: o.userAgent }),
  };
}

/** Reads a kubeconfig file. Throws KubeconfigError, or the error of the file system. */
export const loadKubeconfig = (path: string, o: { context?: string; userAgent?: string } = {}): ClientConfig =>
  parseKubeconfig(readFileSync(path, 'utf8'), { ...o, directory: dirname(resolve(path)) });

const serviceAccountDirectory = '/var/run/secrets/kubernetes.io/serviceaccount';

/** The configuration of a pod with a service account token. `environment`: the process's. Throws KubeconfigError outside of a cluster. */
export function loadInClusterConfig(
  environment: Readonly<Record<string, string | undefined>>,
  o: { directory?: string; userAgent?: string } = {},
): ClientConfig {
  const host = environment['KUBERNETES_SERVICE_HOST'];
  const port = environment['KUBERNETES_SERVICE_PORT'];
  if (!host || !port) throw new KubeconfigError('KUBERNETES_SERVICE_HOST and KUBERNETES_SERVICE_PORT are not set: this is not a pod');
  const directory = o.directory ?? serviceAccountDirectory;
  return {
    servers: [`https://${host.includes(':') ? `[${host}]` : host}:${port}`],
    certificateAuthority: { file: `${directory}/ca.crt` },
    tokenFile: `${directory}/token`,
    ...(o.userAgent === undefined ? {} : { userAgent: o.userAgent }),
  };
}
