import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { readCertificate } from '@skiff/component-base';
import type { ClusterConfig } from '../config.ts';
import { isExternalEtcd } from '../supervisor/etcd-process.ts';

const dayMs = 86_400_000;
/** The end of an authority is told of from here on: replacing it takes every host. */
const warningMs = 365 * dayMs;

/**
 * What is to be said of this host's certificate authorities: undefined while all of them live for another year, else a line about the one that
 * ends first. Throws when a file is no certificate.
 */
export function authorityWarning(config: Pick<ClusterConfig, 'rootDir' | 'etcdServers'>, nowMs: number): string | undefined {
  const names = ['ca.crt', 'front-proxy-ca.crt', ...(isExternalEtcd(config) ? [] : ['etcd/ca.crt'])];
  const [first] = names
    .map((name) => join(config.rootDir, 'pki', name))
    // Hosts that joined have the first only.
    .filter((file) => existsSync(file))
    .map((file) => ({ file, endMs: readCertificate(readFileSync(file, 'utf8')).notAfterMs }))
    .toSorted((a, b) => a.endMs - b.endMs);
  if (first === undefined || first.endMs - nowMs >= warningMs) return undefined;
  const days = Math.floor((first.endMs - nowMs) / dayMs);
  const day = new Date(first.endMs).toISOString().slice(0, 10);
  const when = days < 0 ? `has ended on ${day}` : `ends on ${day}, in ${days} ${days === 1 ? 'day' : 'days'}`;
  return `The certificate authority ${first.file} ${when}. How it is replaced: docs/decisions/join.md, "No cluster dies of age".`;
}
