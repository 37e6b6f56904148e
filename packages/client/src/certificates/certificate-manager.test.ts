import { generateKeyPairSync } from 'node:crypto';
import { execFileSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { CertificateSigningRequest } from '@skiff/api';
import { FakeClock, readCertificateFile, silentLogger, writeCertificateFile } from '@skiff/component-base';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { Client } from '../contract.ts';
import { createCertificateManager, isCertificateFor, renewalTimeMs } from './certificate-manager.ts';
import { CertificateRefused, requestCertificate } from './request-certificate.ts';

const identity = { commonName: 'system:node:a', organizations: ['system:nodes'] };
const day = 86_400_000;

describe('renewalTimeMs', () => {
  const year = { notBeforeMs: 0, notAfterMs: 100 * day, storedAtMs: 0 };
  it.each([
    ['the earliest', year, 0, 70 * day],
    ['the latest', year, 1, 90 * day],
    ['counted from when it came, not from where it was dated back to', { notBeforeMs: 0, notAfterMs: 110, storedAtMs: 10 }, 0, 80],
    ['a file that was touched after its end', { ...year, storedAtMs: 200 * day }, 0.5, 100 * day],
  ])('%s', (_what, stored, jitter, expected) => expect(renewalTimeMs(stored, jitter)).toBeCloseTo(expected, 3));
});

it('a certificate is for an identity when it has its subject and all its names', () => {
  const stored = { subject: 'O=system:nodes\nCN=system:node:a', names: ['a', '10.0.0.1'] };
  expect(isCertificateFor(stored, { ...identity, dnsNames: ['a'], ipAddresses: ['10.0.0.1'] })).toBe(true);
  expect(isCertificateFor(stored, { ...identity, ipAddresses: ['10.0.0.2'] })).toBe(false);
  expect(isCertificateFor(stored, { ...identity, commonName: 'system:node:b' })).toBe(false);
});

/** An API that signs with a CA of its own for a day, as long as it is asked to. */
function fakeSigner(folder: string) {
  const openssl = (...args: string[]): void => void execFileSync('openssl', args, { cwd: folder, stdio: 'pipe' });
  openssl(
    'req',
    '-x509',
    '-newkey',
    'ec',
    '-pkeyopt',
    'ec_paramgen_curve:P-256',
    '-nodes',
    '-keyout',
    'ca.key',
    '-out',
    'ca.crt',
    '-subj',
    '/CN=ca',
  );
  const requests: CertificateSigningRequest[] = [];
  const state = { refuse: undefined as string | undefined, silent: false };
  const client = {
    create: async (_r: unknown, object: CertificateSigningRequest) => {
      requests.push(object);
      return { ...object, metadata: { name: `csr-${requests.length}`, resourceVersion: '1' } };
    },
    async *watch(_r: unknown, _n: unknown, o: { signal: AbortSignal }) {
      const asked = requests.at(-1);
      if (asked === undefined) return;
      if (state.silent) await new Promise((_resolve, reject) => o.signal.addEventListener('abort', () => reject(o.signal.reason as Error)));
      const metadata = { name: `csr-${requests.length}`, resourceVersion: '2' };
      if (state.refuse !== undefined) {
        const conditions = [{ type: 'Denied', status: 'True', reason: 'R', message: state.refuse }];
        yield { type: 'MODIFIED', object: { ...asked, metadata, status: { conditions } } };
        return;
      }
      writeFileSync(join(folder, 'r.csr'), Buffer.from(asked.spec.request, 'base64'));
      openssl('x509', '-req', '-in', 'r.csr', '-CA', 'ca.crt', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '1', '-out', 'r.crt');
      yield {
        type: 'MODIFIED',
        object: { ...asked, metadata, status: { certificate: readFileSync(join(folder, 'r.crt')).toString('base64') } },
      };
    },
    get: async () => ({ ...requests.at(-1), metadata: { name: 'x', resourceVersion: '2' } }),
  } as unknown as Client;
  return { client, requests, state };
}

describe('with a signer', () => {
  let folder = '';
  let signer: ReturnType<typeof fakeSigner>;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-certificates-'));
    signer = fakeSigner(folder);
  });
  afterEach(() => rmSync(folder, { recursive: true }));
  const order = { signerName: 'kubernetes.io/kubelet-serving', identity };
  const wait = { signal: new AbortController().signal, timeoutMs: 30_000 };

  it('a certificate comes with the key that was made here', async () => {
    const file = join(folder, 'pair.pem');
    writeCertificateFile(file, await requestCertificate(order, { client: signer.client, ...wait }));
    expect(readCertificateFile(file)?.subject).toBe('O=system:nodes\nCN=system:node:a');
    expect(signer.requests[0]?.spec.usages).toEqual(['digital signature', 'server auth']);
    expect(Buffer.from(signer.requests[0]?.spec.request ?? '', 'base64').toString()).not.toContain('PRIVATE');
    // A key that is not the certificate's: as good as none.
    const other = generateKeyPairSync('ec', {
      namedCurve: 'P-256',
      privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
      publicKeyEncoding: { type: 'spki', format: 'pem' },
    });
    writeCertificateFile(file, other.privateKey + readFileSync(join(folder, 'r.crt'), 'utf8'));
    expect(readCertificateFile(file)).toBeUndefined();
  });

  it('a denial and a silence are told apart', async () => {
    signer.state.refuse = 'not you';
    await expect(requestCertificate(order, { client: signer.client, ...wait })).rejects.toThrow(/csr-1 was denied: not you/);
    signer.state.refuse = undefined;
    signer.state.silent = true;
    const late = requestCertificate(order, { client: signer.client, ...wait, timeoutMs: 50 });
    await expect(late).rejects.toThrow(CertificateRefused);
    await expect(late).rejects.toThrow(/csr-2 was not signed within 0.05 s/);
  });

  it('is renewed in its time, and after failures', async () => {
    const file = join(folder, 'pair.pem');
    const clock = new FakeClock(Date.now());
    const changed = vi.fn();
    const manager = createCertificateManager(
      { file, signerName: order.signerName, identity },
      { client: signer.client, clock, log: silentLogger, random: () => 0.5, changed },
    );
    const stop = new AbortController();
    const running = manager.run(stop.signal);
    await vi.waitFor(() => expect(changed).toHaveBeenCalledTimes(1), 20_000);
    const first = readCertificateFile(file)?.pem;
    // The file is dated by the machine's clock, which stands where the fake one began.
    utimesSync(file, clock.now() / 1000, clock.now() / 1000);
    await clock.advance(19 * 3_600_000);
    expect(signer.requests.length).toBe(1);
    signer.state.refuse = 'not now';
    await clock.advance(3_600_000);
    await vi.waitFor(() => expect(signer.requests.length).toBeGreaterThan(1), 20_000);
    expect(changed).toHaveBeenCalledTimes(1);
    signer.state.refuse = undefined;
    // Keys are made in time that is not the clock's.
    await vi.waitFor(
      async () => {
        await clock.advance(1_000);
        expect(changed.mock.calls.length).toBeGreaterThan(1);
      },
      { timeout: 20_000, interval: 5 },
    );
    expect(readCertificateFile(file)?.pem).not.toBe(first);
    stop.abort(new Error('done'));
    await running;
  });
});
