import { createHash } from 'node:crypto';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { pack } from 'tar-stream';

const digestOf = (bytes: Buffer): string => `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
const json = (value: unknown): Buffer => Buffer.from(JSON.stringify(value));

async function makeLayer(text: string): Promise<Buffer> {
  const archive = pack();
  archive.entry({ name: 'hello', mtime: new Date(0) }, text);
  archive.finalize();
  const chunks: Buffer[] = [];
  for await (const chunk of archive as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks);
}

export interface PrivateRegistry extends AsyncDisposable {
  /** `127.0.0.1:port`: the engine speaks HTTP to it. */
  readonly host: string;
  /** Of the image's manifest. */
  readonly digest: string;
  /** `user:password` of the requests that came with any. */
  readonly seen: ReadonlySet<string>;
}

/** A registry that has one small image under every name, for those with the password (htpasswd's way), or for everybody. */
export async function startRegistry(o: { readonly password?: string; readonly content: string }): Promise<PrivateRegistry> {
  const layer = await makeLayer(o.content);
  const config = json({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: {},
    rootfs: { type: 'layers', diff_ids: [digestOf(layer)] },
  });
  const docker = 'application/vnd.docker';
  const manifestType = `${docker}.distribution.manifest.v2+json`;
  const manifest = json({
    schemaVersion: 2,
    mediaType: manifestType,
    config: { mediaType: `${docker}.container.image.v1+json`, size: config.length, digest: digestOf(config) },
    layers: [{ mediaType: `${docker}.image.rootfs.diff.tar.gzip`, size: layer.length, digest: digestOf(layer) }],
  });
  const blobs = new Map([config, layer].map((b) => [digestOf(b), b]));
  const seen = new Set<string>();
  const userOf = (request: IncomingMessage): string =>
    Buffer.from((request.headers.authorization ?? '').replace(/^Basic /, ''), 'base64').toString();
  const server = createServer((request, response) => {
    const user = userOf(request);
    if (user !== '') seen.add(user);
    if (o.password !== undefined && user !== `alice:${o.password}`) {
      response.writeHead(401, { 'WWW-Authenticate': 'Basic realm="test"', 'Content-Type': 'application/json' });
      response.end(json({ errors: [{ code: 'UNAUTHORIZED', message: 'authentication required' }] }));
      return;
    }
    const [, what, name = ''] = /\/(manifests|blobs)\/([^/]+)$/.exec(request.url ?? '') ?? [];
    const body = what === 'manifests' ? (name === 'none' ? undefined : manifest) : what === 'blobs' ? blobs.get(name) : Buffer.alloc(0);
    if (body === undefined) {
      response.writeHead(404, { 'Content-Type': 'application/json' });
      response.end(json({ errors: [{ code: 'MANIFEST_UNKNOWN', message: 'manifest unknown' }] }));
      return;
    }
    response.writeHead(200, {
      'Content-Type': what === 'manifests' ? manifestType : 'application/octet-stream',
      'Content-Length': body.length,
      'Docker-Content-Digest': digestOf(body),
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    host: `127.0.0.1:${(server.address() as AddressInfo).port}`,
    digest: digestOf(manifest),
    seen,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}
