import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { authorityWarning } from './authority-end.ts';
import { createAuthority } from './certificates.ts';

const nowMs = Date.parse('2026-01-01T00:00:00Z');
let rootDir: string;
beforeEach(() => {
  rootDir = mkdtempSync(join(tmpdir(), 'skiff-authority-'));
  mkdirSync(join(rootDir, 'pki/etcd'), { recursive: true });
});
afterEach(() => rmSync(rootDir, { recursive: true }));

async function authority(name: string, days: number): Promise<void> {
  writeFileSync(join(rootDir, 'pki', name), (await createAuthority('ca', days, nowMs)).certificate);
}
const warning = (etcdServers = ''): string | undefined => authorityWarning({ rootDir, etcdServers }, nowMs);

it('tells of the authority that ends first, in the last year of its life', async () => {
  expect(warning()).toBeUndefined();
  await authority('ca.crt', 3650);
  await authority('front-proxy-ca.crt', 366);
  await authority('etcd/ca.crt', 366);
  expect(warning()).toBeUndefined();
  await authority('ca.crt', 300);
  await authority('etcd/ca.crt', 31);
  expect(warning()).toContain(`${join(rootDir, 'pki/etcd/ca.crt')} ends on 2026-02-01, in 31 days.`);
  // That of an etcd of one's own lies elsewhere; this file signs nothing.
  expect(warning('https://10.0.0.1:2379')).toContain('pki/ca.crt ends on 2026-10-28, in 300 days.');
  await authority('ca.crt', -1);
  expect(warning()).toContain('pki/ca.crt has ended on 2025-12-31.');
});
