import { copyFileSync, mkdirSync } from 'node:fs';
import { configMap } from '@skiff/api';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { eventually } from '../e2e/support/cluster.ts';
import type { Host } from '../lab/host.ts';
import { startLab, type Lab } from '../lab/lab.ts';
import { clientOf, joinControlPlane } from './support/control-plane.ts';
import { figure, seconds, timed } from './support/observe.ts';

const folder = '/etc/owners-etcd';
const etcdLog = '/var/log/owners-etcd.log';
/** A CA, the server's certificate and a client's. The argument is the server's address. */
const makeCertificates = `set -e; mkdir -p ${folder}; cd ${folder}
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=ca -days 2 -keyout ca.key -out ca.crt 2>/dev/null
for name in server client; do
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=$name -keyout $name.key -out $name.csr 2>/dev/null
  printf 'subjectAltName=IP:%s' "$0" >$name.ext
  openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial -days 2 -extfile $name.ext -out $name.crt 2>/dev/null
done`;

let lab: Lab;
let control: Host;
let second: Host;
let owner: Host;

beforeAll(async () => {
  lab = await startLab({ name: 'external', hosts: [{}, {}, { name: 'elsewhere', engine: 'none' }] });
  [control, second, owner] = [lab.host(0), lab.host(1), lab.host('elsewhere')];
  await owner.ok('sh', ['-c', makeCertificates, owner.address]);
  startEtcd();
  // As on hosts where none is installed: what is here can't be executed.
  for (const host of [control, second]) await host.ok('sh', ['-c', 'mount --bind /dev/null "$(command -v etcd)" && ! etcd --version']);
  mkdirSync(control.path(folder));
  for (const file of ['ca.crt', 'client.crt', 'client.key'])
    copyFileSync(owner.path(`${folder}/${file}`), control.path(`${folder}/${file}`));
});
afterAll(() => lab?.close());

/**
 * An etcd that takes nobody without a certificate. It listens before it is asked: `up` waits for it. What it says goes to a file,
 * for it waits for a pipe that nobody reads.
 */
function startEtcd(): void {
  const url = `https://${owner.address}:2379`;
  owner.spawn('sh', [
    '-c',
    `exec "$@" >>${etcdLog} 2>&1`,
    'sh',
    'etcd',
    '--data-dir=/var/lib/owners-etcd',
    `--listen-client-urls=${url}`,
    `--advertise-client-urls=${url}`,
    `--cert-file=${folder}/server.crt`,
    `--key-file=${folder}/server.key`,
    `--trusted-ca-file=${folder}/ca.crt`,
    '--client-cert-auth',
    '--logger=zap',
  ]);
}

it('the control plane lives on an etcd that is there already, also on a host that joins', { timeout: 600_000 }, async () => {
  const said = await control.ok('skiff', [
    'up',
    `--etcd-servers=https://${owner.address}:2379`,
    `--etcd-cafile=${folder}/ca.crt`,
    `--etcd-certfile=${folder}/client.crt`,
    `--etcd-keyfile=${folder}/client.key`,
  ]);
  expect(said).not.toMatch(/Starting etcd|missing|Installing/);
  figure('external etcd, join --control-plane', seconds(await joinControlPlane(control, second)));
  for (const host of [control, second]) {
    const status = await host.ok('skiff', ['status']);
    expect(status).toMatch(/✓ apiserver/);
    expect(status).not.toMatch(/✓ etcd/);
  }
  const [first, other] = await Promise.all([control, second].map(async (h) => (await clientOf([h])).client));
  await first?.create(configMap, { metadata: { name: 'written-here', namespace: 'default' } });
  expect((await other?.get(configMap, { namespace: 'default', name: 'written-here' }))?.metadata?.name).toBe('written-here');

  // Its owner's etcd dies, gone with its sockets, and comes back: whoever is asked answers again, and nothing is lost.
  await owner.ok('sh', ['-c', 'p=$(pidof etcd) && kill -9 $p && while [ -e /proc/$p ]; do sleep 0.05; done'], { timeoutMs: 30_000 });
  startEtcd();
  figure(
    'external etcd killed, the API answers again after',
    seconds(
      await timed('both apiservers answer', async () => {
        const ready = await Promise.all([control, second].map((h) => h.tryKubectl('get --raw /readyz')));
        return ready.every((r) => r.code === 0);
      }),
    ),
  );
  await other?.create(configMap, { metadata: { name: 'written-there', namespace: 'default' } });
  await eventually('both are there', async () => {
    const names = (await first?.list(configMap, 'default'))?.items.map((c) => c.metadata?.name) ?? [];
    return names.includes('written-here') && names.includes('written-there');
  });
  first?.close();
  other?.close();

  // It is not Skiff's to remove.
  await second.ok('skiff', ['leave']);
  await control.ok('skiff', ['down', '--wipe']);
  expect((await owner.ok('pidof', ['etcd'])).trim()).not.toBe('');
  expect(await owner.ok('sh', ['-c', 'grep -ac written-there /var/lib/owners-etcd/member/snap/db'])).not.toBe('0\n');
});
