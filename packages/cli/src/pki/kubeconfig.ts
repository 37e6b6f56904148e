import { mkdirSync, readFileSync, existsSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { KeyAndCertificate } from './certificates.ts';

const base64 = (text: string): string => Buffer.from(text).toString('base64');

/** Who a kubeconfig makes its reader: a pair inside of it, a file that somebody keeps fresh (relative to the kubeconfig), a token, or nobody. */
export type KubeconfigCredential =
  | { readonly pair: KeyAndCertificate }
  | { readonly file: string }
  | { readonly token: string }
  | { readonly anonymous: true };

function userOf(credential: KubeconfigCredential): Readonly<Record<string, string>> {
  if ('pair' in credential)
    return { 'client-certificate-data': base64(credential.pair.certificate), 'client-key-data': base64(credential.pair.key) };
  if ('file' in credential) return { 'client-certificate': credential.file, 'client-key': credential.file };
  return 'token' in credential ? { token: credential.token } : {};
}

/** A kubeconfig as JSON, which is YAML. Clients of Skiff fail over between `servers`; others use the first. */
export function renderKubeconfig(o: {
  servers: readonly string[];
  authority: string;
  user: string;
  credential: KubeconfigCredential;
}): string {
  const [server, ...further] = o.servers;
  const cluster = {
    server,
    'certificate-authority-data': base64(o.authority),
    ...(further.length === 0 ? {} : { extensions: [{ name: 'skiff.io/servers', extension: { servers: o.servers } }] }),
  };
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'skiff', cluster }],
    users: [{ name: o.user, user: userOf(o.credential) }],
    contexts: [{ name: 'skiff', context: { cluster: 'skiff', user: o.user } }],
    'current-context': 'skiff',
  };
  return `${JSON.stringify(config, null, 2)}\n`;
}

/** Replaces a file as a whole. */
export function writeFile(path: string, text: string, mode: number): void {
  mkdirSync(dirname(path), { recursive: true, mode: 0o755 });
  const temporary = `${path}.new`;
  writeFileSync(temporary, text, { mode });
  renameSync(temporary, path);
}

/** Writes a kubeconfig, readable for root only; one that says the same already is not touched. */
export function ensureKubeconfig(path: string, text: string): void {
  if (!existsSync(path) || readFileSync(path, 'utf8') !== text) writeFile(path, text, 0o600);
}
