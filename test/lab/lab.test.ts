import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { busyboxImage } from '@skiff/testing/host-image';
import { eventually, lines } from '../e2e/support/cluster.ts';
import { testImages } from '../e2e/support/images.ts';
import { hierarchies, labGroup } from './cgroups.ts';
import type { Host } from './host.ts';
import { fullName, startLab, type Lab } from './lab.ts';

const name = 'selftest';

/** Answers every TCP connection on 7000 with the address it came from. */
const echo = "require('net').createServer((s) => s.end(s.remoteAddress)).listen(7000, () => console.log('on'))";
async function serve(host: Host): Promise<void> {
  await once(host.spawn('node', ['-e', echo]).child.stdout, 'data');
}

/** The source address that `to` saw, or why nothing came back. */
async function answer(from: Host, to: Host, withinMs: number): Promise<string> {
  const program = `const s = require('net').connect({ host: '${to.address}', port: 7000 });
    s.setTimeout(${withinMs}, () => { console.log('silence'); process.exit(); });
    s.on('data', (d) => console.log(String(d).replace('::ffff:', '')));
    s.on('error', (e) => console.log(e.code === 'EHOSTUNREACH' ? 'silence' : e.code));`;
  return (await from.ok('node', ['-e', program])).trim();
}
/** Where an answer is to come, it may take its time. */
const reach = (from: Host, to: Host): Promise<string> => answer(from, to, 30_000);
/** Where none is to come, nobody waits long. */
const reachCut = (from: Host, to: Host): Promise<string> => answer(from, to, 400);

/** What a lab could leave on the machine. */
const traces = (): readonly string[] => [
  ...readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .filter((l) => l.includes(`/lab/${fullName(name)}/`)),
  ...lines('ip', ['-o', 'link', 'show']).filter((l) => /p-h\d/.test(l)),
  ...lines('ps', ['-eo', 'args']).filter((l) => l.includes(`/lab/${fullName(name)}/`) || l.startsWith(`skiff-lab ${fullName(name)}`)),
  ...hierarchies()
    .map((h) => labGroup(h.point, fullName(name)))
    .filter((group) => existsSync(group)),
  ...(existsSync(`/var/cache/skiff/lab/${fullName(name)}`) ? ['folder'] : []),
];

describe('a lab', () => {
  it('has machines with an engine each, that keep their disk over a power cut', async () => {
    await using lab = await startLab({ name, hosts: 2, images: [busyboxImage(testImages.busybox)] });
    const [a, b] = [lab.host('h1'), lab.host(1)];
    const ids = await Promise.all([a, b].map(async (h) => ((await h.docker.info()) as { ID: string; Name: string }).ID));
    expect(new Set(ids).size).toBe(2);
    expect((await a.ok('hostname')).trim()).toBe('h1');
    const machines = await Promise.all([a, b].map((h) => h.ok('cat', ['/etc/machine-id'])));
    expect(new Set(machines).size).toBe(2);

    // Containers of the same name and cgroup on both: nothing collides.
    for (const host of [a, b])
      await host.ok('docker', [
        'run',
        '-d',
        '--name',
        'same',
        '--cgroup-parent',
        '/same',
        '--memory',
        '16m',
        testImages.busybox,
        'sleep',
        '1000',
      ]);
    const container = (await a.ok('docker', ['inspect', '-f', '{{.State.Pid}}', 'same'])).trim();
    expect(await a.ok('cat', [`/proc/${container}/cgroup`])).toMatch(/\/same\//);
    const outside = readdirSync(a.path('/proc')).includes(container);
    expect(outside).toBe(true);

    await a.kill();
    expect(a.on).toBe(false);
    expect((await b.ok('docker', ['ps', '-q'])).trim()).not.toBe('');
    await a.start();
    expect((await a.ok('docker', ['ps', '-aq', '--filter', 'name=same'])).trim()).not.toBe('');
    expect((await a.ok('docker', ['ps', '-q'])).trim()).toBe('');
    expect(((await a.docker.info()) as { ID: string }).ID).toBe(ids[0]);
    await a.stopEngine();
    await a.startEngine();
    // Nobody's remains stay; an engine that has just started may not have looked after its last program yet.
    await eventually('no remains of processes', async () => {
      const remains = (await a.ok('ps', ['ax'])).split('\n').filter((l) => l.includes('defunct'));
      if (remains.length > 0) throw new Error(remains.join('\n'));
      return true;
    });
  });

  it('runs the newer engine', async () => {
    await using lab = await startLab({ name, hosts: 1, engine: '28', images: [busyboxImage(testImages.busybox)] });
    const version = (await lab.host(0).docker.version()).Version;
    expect(Number(version.split('.')[0])).toBeGreaterThanOrEqual(28);
    expect((await lab.host(0).ok('docker', ['run', '--rm', testImages.busybox, 'echo', 'hello'])).trim()).toBe('hello');
  });

  describe('network', () => {
    it('cuts, isolates, heals; segments are routed; what is behind NAT reaches out only', async () => {
      await using lab: Lab = await startLab({ name, hosts: [{}, {}, { segment: 'b' }, { nat: true }], engine: 'none' });
      const [a, b, far, hidden] = lab.hosts as [Host, Host, Host, Host];
      await Promise.all(lab.hosts.map(serve));
      expect(await reach(a, b)).toBe(a.address);
      expect(await reach(far, a)).toBe(far.address);
      expect(await reach(hidden, a)).toBe('10.200.0.1');
      expect(await reachCut(a, hidden)).toBe('silence');

      await lab.partition(a, b);
      await lab.partition(a, far);
      expect(await Promise.all([reachCut(a, b), reachCut(b, a), reachCut(far, a), reach(b, far)])).toEqual([
        'silence',
        'silence',
        'silence',
        b.address,
      ]);
      await lab.heal();
      await lab.isolate(b);
      expect(await Promise.all([reachCut(a, b), reachCut(b, far), reach(a, far)])).toEqual(['silence', 'silence', a.address]);
      await lab.heal();
      expect(await reach(b, a)).toBe(b.address);
    });

    it('is slow and lossy where asked', async () => {
      await using lab = await startLab({ name, hosts: 2, engine: 'none' });
      const [a, b] = lab.hosts as [Host, Host];
      const back = "require('net').createServer((s) => s.pipe(s)).listen(7001, () => console.log('on'))";
      await once(b.spawn('node', ['-e', back]).child.stdout, 'data');
      const program = `const s = require('net').connect(7001, '${b.address}'); const t = performance.now(); let n = 0;
        s.end(Buffer.alloc(100_000)); s.on('data', (d) => { n += d.length; }).on('end', () => console.log(n, performance.now() - t));`;
      const transfer = async (): Promise<readonly number[]> => (await a.ok('node', ['-e', program])).trim().split(' ').map(Number);
      await lab.slow(b, { bitsPerSecond: 1_000_000, loss: 0.02 });
      const [bytes = 0, ms = 0] = await transfer();
      expect(bytes).toBe(100_000);
      // 800 kbit at 1 Mbit/s, less what the burst lets through.
      expect(ms).toBeGreaterThan(600);
      await lab.heal();
      // A busy machine may be slow by itself, but a limited link is never this fast.
      await eventually('the link is fast again', async () => ((await transfer())[1] ?? Infinity) < 600);
    });

    it('is reached from the test', async () => {
      await using lab = await startLab({ name, hosts: 1, engine: 'none' });
      await serve(lab.host(0));
      const socket = await lab.host(0).connect(7000);
      let text = '';
      for await (const chunk of socket) text += String(chunk);
      expect(text).toContain('127.0.0.1');
    });
  });

  it('ends a program that takes too long, with what it started', async () => {
    await using lab = await startLab({ name, hosts: 1, engine: 'none' });
    const result = await lab.host(0).run('sh', ['-c', 'sleep 1000'], { timeoutMs: 200 });
    expect(result.code).toBe(137);
    expect(await lab.host(0).ok('ps', ['ax'])).not.toContain('sleep 1000');
  });

  it('leaves nothing, even when the test that made it crashed', async () => {
    const source = `import { startLab } from '${import.meta.dirname}/lab.ts';
      const lab = await startLab({ name: '${name}', hosts: 2 }); console.log(lab.hosts.map((h) => h.pid).join(' '));`;
    const child = spawn(process.execPath, ['--conditions=skiff-source', '--import', 'tsx', '--input-type=module', '-e', source], {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: import.meta.dirname,
    });
    const died = once(child, 'exit').then(([code]) => Promise.reject(new Error(`the program with the lab ended with ${code}`)));
    died.catch(() => undefined);
    const [pids] = (await Promise.race([once(child.stdout, 'data'), died])) as [Buffer];
    await expect(startLab({ name, hosts: 1 })).rejects.toThrow(/in use by process/);
    child.kill('SIGKILL');
    for (const pid of pids.toString().trim().split(' '))
      await eventually(`process ${pid} has ended`, async () => !existsSync(`/proc/${pid}`));
    // In the same place at once: what is still ending is waited for.
    const again = await startLab({ name, hosts: 1, engine: 'none' });
    expect(await again.host(0).ok('ls', ['/var/lib'])).not.toContain('docker');
    await again.close();
    expect(traces()).toEqual([]);
  });
});
