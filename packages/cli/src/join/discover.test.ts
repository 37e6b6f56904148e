import { createHmac } from 'node:crypto';
import { createServer, type Server } from 'node:https';
import { type AddressInfo, createServer as createTcpServer, type Server as TcpServer } from 'node:net';
import { afterEach, beforeAll, describe, expect, it } from 'vitest';
import { createAuthority, issueCertificate, type KeyAndCertificate } from '../pki/certificates.ts';
import { renderKubeconfig } from '../pki/kubeconfig.ts';
import { caCertificateHash } from '../token/bootstrap-token.ts';
import { UserError } from '../user-error.ts';
import { discoverCluster } from './discover.ts';

const token = { id: 'abcdef', secret: '0123456789abcdef' };
const lifetimeMs = 86_400_000;

function sign(content: string, secret: string): string {
  const encode = (text: string): string => Buffer.from(text).toString('base64url');
  const header = encode(JSON.stringify({ alg: 'HS256', kid: token.id }));
  return `${header}..${createHmac('sha256', secret)
    .update(`${header}.${encode(content)}`)
    .digest('base64url')}`;
}

describe('discoverCluster', () => {
  let ca: KeyAndCertificate;
  let otherCa: KeyAndCertificate;
  const servers: (Server | TcpServer)[] = [];
  beforeAll(async () => {
    [ca, otherCa] = await Promise.all([createAuthority('ca', 1, Date.now()), createAuthority('other', 1, Date.now())]);
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) {
      if ('closeAllConnections' in server) server.closeAllConnections();
      await new Promise<void>((resolve) => server.close(() => resolve()));
    }
  });
  const listen = async (server: Server | TcpServer): Promise<number> => {
    servers.push(server);
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    return (server.address() as AddressInfo).port;
  };

  /** An apiserver that tells of its cluster; what it tells can be wrong in every part. */
  async function serve(
    o: { secret?: string; told?: KeyAndCertificate; served?: KeyAndCertificate; name?: string; date?: Date; status?: number } = {},
  ) {
    const names = { addresses: [o.name ?? '127.0.0.1'] };
    const leaf = await issueCertificate(o.served ?? ca, { commonName: 's', usages: ['server'], lifetimeMs, ...names }, Date.now());
    const asked: { path: string; authorization: string | undefined }[] = [];
    let port = 0;
    const server = createServer({ cert: leaf.certificate, key: leaf.key }, (request, response) => {
      asked.push({ path: request.url ?? '', authorization: request.headers.authorization });
      const authority = (o.told ?? ca).certificate;
      const kubeconfig = renderKubeconfig({ servers: [`https://127.0.0.1:${port}`], authority, user: '', credential: { anonymous: true } });
      const data = { kubeconfig, [`jws-kubeconfig-${token.id}`]: sign(kubeconfig, o.secret ?? token.secret) };
      if (o.date !== undefined) response.setHeader('date', o.date.toUTCString());
      response.statusCode = o.status ?? 200;
      response.end(
        JSON.stringify(o.status === undefined ? { kind: 'ConfigMap', data } : { kind: 'Status', message: 'no', code: o.status }),
      );
    });
    port = await listen(server);
    return { port, asked };
  }
  const discover = (port: number, o: { pins?: readonly string[]; token?: typeof token } = {}) =>
    discoverCluster({ host: '127.0.0.1', port }, o.token ?? token, {
      pins: o.pins ?? [caCertificateHash(ca.certificate)],
      signatureWaitMs: 0,
    });
  const refusal = async (result: Promise<unknown>): Promise<{ code: number; text: string }> => {
    const error: unknown = await result.catch((e: unknown) => e);
    if (!(error instanceof UserError)) throw new Error(`not refused: ${String(error)}`);
    return { code: error.exitCode, text: error.message };
  };

  it('believes a server whose answer is signed, whose CA is pinned, and who proves to be of it; sends it no secret', async () => {
    const { port, asked } = await serve();
    const found = await discover(port);
    expect(found.ca).toBe(ca.certificate);
    expect(found.servers).toEqual([`https://127.0.0.1:${port}`]);
    expect(found.localAddress).toBe('127.0.0.1');
    expect(Math.abs(found.clockAheadMs)).toBeLessThan(60_000);
    expect(asked.every((a) => a.authorization === undefined)).toBe(true);
  });

  it('tells how far the clocks are apart', async () => {
    const { port } = await serve({ date: new Date(Date.now() + 3_600_000) });
    expect((await discover(port)).clockAheadMs / 60_000).toBeCloseTo(-60, 0);
  });

  it.each([
    ['a signature of another secret', { secret: 'f'.repeat(16) }, /its secret is not the one/],
    ['a server that knows the token and is not of the CA it tells of', { served: 'other' }, /does not prove to be of the cluster/],
    ['a certificate for another address', { name: '192.0.2.1' }, /is not good for 127\.0\.0\.1/],
    ['a cluster that is not prepared', { status: 404 }, /is not prepared for others to join/],
    ['a server that says no', { status: 403 }, /does not tell about its cluster: no/],
  ] as const)('refuses %s', async (_what, o, said) => {
    const { served, ...rest } = { served: undefined, ...o };
    const { port } = await serve({ ...rest, ...(served === 'other' ? { served: otherCa } : {}) });
    const { code, text } = await refusal(discover(port));
    expect(text).toMatch(said);
    expect(code).toBe(4);
  });

  it('refuses another cluster that knows the token, by the pin alone', async () => {
    const { port } = await serve({ told: otherCa, served: otherCa });
    expect((await refusal(discover(port))).text).toContain('is not the one that was pinned');
    expect((await discover(port, { pins: [] })).ca).toBe(otherCa.certificate);
  });

  it('refuses a token that nothing is signed with', async () => {
    const { port } = await serve();
    expect((await refusal(discover(port, { token: { ...token, id: 'zzzzzz' } }))).text).toContain('knows no token "zzzzzz"');
  });

  it('tells a server without TLS from one that is silent and one that is not there', async () => {
    const plain = await listen(
      createTcpServer((socket) =>
        socket
          .on('error', () => undefined)
          .end('HTTP/1.1 400 Bad Request\r\n\r\n')
          .resume(),
      ),
    );
    expect(await refusal(discover(plain))).toMatchObject({ code: 3, text: expect.stringContaining('does not speak TLS') as string });
    const gone = createTcpServer();
    const port = await listen(gone);
    await new Promise<void>((resolve) => gone.close(() => resolve()));
    servers.pop();
    expect(await refusal(discover(port))).toMatchObject({ code: 3, text: expect.stringContaining('the connection is refused') as string });
  });
});
