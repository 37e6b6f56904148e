import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Keyring, parseDockerAuths } from './keyring.ts';

/** Credentials that the node's owner put beside the kubelet's files, for all pods. */
export async function readNodeKeyring(rootDirectory: string): Promise<Keyring> {
  const text = await readFile(path.join(rootDirectory, 'config.json'), 'utf8').catch(() => undefined);
  if (text === undefined) return [];
  return parseDockerAuths((JSON.parse(text) as { auths?: Record<string, { auth?: string }> }).auths ?? {}, { kind: 'node' });
}
