import { execFileSync } from 'node:child_process';
import { createPrivateKey } from 'node:crypto';
import { describe, expect, it } from 'vitest';
import { createCertificateRequest } from './pkcs10.ts';

const openssl = (request: string): string =>
  execFileSync('openssl', ['req', '-noout', '-text', '-verify'], { input: request, stdio: 'pipe' }).toString();

describe('createCertificateRequest', () => {
  it('is a request that OpenSSL reads, with a good signature', () => {
    const { key, request } = createCertificateRequest({
      commonName: 'system:node:a',
      organizations: ['system:nodes'],
      dnsNames: ['a', `${'long'.repeat(40)}.example`],
      ipAddresses: ['10.0.0.1', 'fd00::1', '::ffff:1.2.3.4', '2001:db8:1:2:3:4:5:6'],
    });
    const text = openssl(request);
    expect(text).toMatch(/Subject: O ?= ?system:nodes, CN ?= ?system:node:a/);
    expect(text).toContain('DNS:a, DNS:longlong');
    expect(text).toContain('IP Address:10.0.0.1, IP Address:FD00:0:0:0:0:0:0:1, IP Address:0:0:0:0:0:FFFF:102:304');
    expect(text).toContain('IP Address:2001:DB8:1:2:3:4:5:6');
    expect(createPrivateKey(key).asymmetricKeyDetails?.namedCurve).toBe('prime256v1');
  });

  it('needs no names', () => {
    expect(openssl(createCertificateRequest({ commonName: 'x', organizations: [] }).request)).toMatch(/Subject: CN ?= ?x\n/);
  });

  it('refuses what is no address', () => {
    expect(() => createCertificateRequest({ commonName: 'x', organizations: [], ipAddresses: ['host'] })).toThrow(
      '"host" is no IP address',
    );
  });
});
