/**
 * A lab to work in by hand: `npx tsx --conditions=skiff-source test/lab/main.ts [name] [hosts] [engine]`. It lives until it is
 * interrupted. `<folder>/<host>/enter [command …]` is a shell, or a command, in a host.
 */
import { once } from 'node:events';
import { busyboxImage, nodeImage } from '@skiff/testing/host-image';
import { testImages, webProgram } from '../e2e/support/images.ts';
import { startLab } from './lab.ts';

const [name = 'lab', hosts = '3', engine = '20.10'] = process.argv.slice(2);
if (engine !== '20.10' && engine !== '28') throw new Error('the engine is 20.10 or 28');
const web = nodeImage(testImages.web1, { '/web.js': webProgram }, ['node', '/web.js']);
await using lab = await startLab({
  name,
  hosts: Number(hosts),
  engine,
  images: [busyboxImage(testImages.busybox), { ...web, environment: { VERSION: '1' } }],
});
for (const host of lab.hosts) console.log(`${host.name} ${host.address} /var/cache/skiff/lab/${lab.name}/${host.name}/enter`);
const ended = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => ended.abort());
const awake = setInterval(() => undefined, 1 << 30);
await once(ended.signal, 'abort');
clearInterval(awake);
