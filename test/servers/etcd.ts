import { existsSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { ensureImage, hasDocker } from './image.ts';
import { startServer, type ServerContainer } from './server.ts';

/** Put there by `scripts/fetch-etcd-3.5.sh`. */
const fetched35 = fileURLToPath(new URL('../../node_modules/.cache/skiff/etcd-3.5/usr/bin/etcd', import.meta.url));

const firstExisting = (...paths: (string | undefined)[]): string | undefined => paths.find((p) => p !== undefined && existsSync(p));

/** The versions of etcd that are tested, with an image each where one can be had. */
export async function findEtcdImages(): Promise<{ version: string; image: string }[]> {
  if (!(await hasDocker())) return [];
  const candidates = [
    {
      version: '3.4',
      published: 'quay.io/coreos/etcd:v3.4.37',
      binary: firstExisting(process.env['SKIFF_ETCD_34'], '/usr/bin/etcd'),
      madeAs: 'skiff-test/etcd-3.4',
    },
    {
      version: '3.5',
      published: 'quay.io/coreos/etcd:v3.5.24',
      binary: firstExisting(process.env['SKIFF_ETCD_35'], fetched35),
      madeAs: 'skiff-test/etcd-3.5',
    },
  ];
  const found: { version: string; image: string }[] = [];
  for (const candidate of candidates) {
    const image = await ensureImage(candidate);
    if (image !== undefined) found.push({ version: candidate.version, image });
    else if (candidate.version === '3.5') console.warn('SKIPPED: etcd 3.5; scripts/fetch-etcd-3.5.sh gets a binary, or set SKIFF_ETCD_35');
  }
  return found;
}

export function startEtcd(image: string): Promise<ServerContainer> {
  const published = image.startsWith('quay.io/');
  return startServer({
    image,
    containerPort: 2379,
    command: [
      ...(published ? ['etcd'] : []),
      '--data-dir=/etcd-data',
      '--listen-client-urls=http://0.0.0.0:2379',
      '--advertise-client-urls=http://0.0.0.0:2379',
      '--listen-peer-urls=http://127.0.0.1:2380',
      '--logger=zap',
    ],
    readyLog: /ready to serve client requests|serving (insecure )?client (requests|traffic)/,
  });
}

export const etcdUrl = (server: { host: string; port: number }): string => `http://${server.host}:${server.port}`;
