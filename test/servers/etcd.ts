import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackUnstable } from '../../scripts/install-kubectl.mjs';
import { ensureImage, hasDocker } from './image.ts';
import { startServer, type ServerContainer } from './server.ts';

/** Debian unstable's, unpacked and not installed; undefined where there is no Debian archive, or once that has a later version. */
function unstableEtcd(): string | undefined {
  // Each test file asks for it, and where no archive can be reached each would wait. The folder is the test run's own.
  const note = join(tmpdir(), 'no-etcd-from-unstable');
  try {
    if (existsSync(note)) throw new Error(readFileSync(note, 'utf8'));
    const binary = join(unpackUnstable('etcd-server'), 'usr/bin/etcd');
    const version = execFileSync(binary, ['--version'], { encoding: 'utf8' });
    if (!/^etcd Version: 3\.5\./m.test(version)) throw new Error(`it is ${version.split('\n', 1)[0]}`);
    return binary;
  } catch (error) {
    const why = (error as Error).message.slice(0, 200);
    writeFileSync(note, why);
    console.warn(`no etcd 3.5 from Debian unstable: ${why}`);
    return undefined;
  }
}

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
      binary: firstExisting(process.env['SKIFF_ETCD_35']) ?? unstableEtcd(),
      madeAs: 'skiff-test/etcd-3.5',
    },
  ];
  const found: { version: string; image: string }[] = [];
  for (const candidate of candidates) {
    const image = await ensureImage(candidate);
    if (image !== undefined) found.push({ version: candidate.version, image });
    else console.warn(`SKIPPED: etcd ${candidate.version}; SKIFF_ETCD_${candidate.version.replace('.', '')} may name a binary`);
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
