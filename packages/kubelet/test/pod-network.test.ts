import { type ChildProcess, spawn } from 'node:child_process';
import net from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { runCommand } from '../src/host/run-command.ts';
import { isWired, renderPodWire, unwirePod, wirePod } from '../src/network/wiring.ts';

const able =
  process.getuid?.() === 0 &&
  (await runCommand('ip', ['-V']).then(
    () => true,
    () => false,
  ));
if (!able) console.warn('SKIPPED: wiring needs root and iproute2');

/** A process in an empty network namespace that answers on port 8080. */
const server = `require('node:net').createServer((s) => s.end(s.remoteAddress)).listen(8080, '0.0.0.0', () => process.stdout.write('up'))`;

describe.skipIf(!able)('pod wiring', () => {
  const pods: ChildProcess[] = [];
  const wires = ['10.254.77.2', '10.254.77.3'].map((address, i) => ({ link: `skptest${process.pid % 10_000}${i}`, address }));
  beforeAll(async () => {
    for (const wire of wires) {
      const child = spawn('unshare', ['-n', process.execPath, '-e', server], { stdio: ['ignore', 'pipe', 'inherit'] });
      pods.push(child);
      await new Promise((resolve) => child.stdout?.once('data', resolve));
      await wirePod(runCommand, { ...wire, pid: child.pid ?? 0 }, { mtu: 1400, nodeAddress: '127.0.0.1', hostPid: process.pid });
    }
  });
  afterAll(async () => {
    for (const p of pods) p.kill('SIGKILL');
    for (const w of wires) await unwirePod(runCommand, w.link);
  });
  const ask = (host: string): Promise<string> =>
    new Promise((resolve, reject) => {
      let answer = '';
      const s = net.connect({ host, port: 8080 });
      s.on('data', (b: Buffer) => (answer += b.toString()));
      s.on('end', () => resolve(answer));
      s.on('error', reject);
    });

  it('reaches the pod from the host', async () => {
    // The node has no address here: the gateway's stands in for it.
    expect(await ask(wires[0]?.address ?? '')).toBe('169.254.1.1');
  });

  it('sets the pod up point to point', async () => {
    const [pod] = pods;
    const routes = await runCommand('nsenter', [`--net=/proc/${pod?.pid ?? 0}/ns/net`, 'ip', 'route']);
    expect(routes).toContain('default via 169.254.1.1 dev eth0 src 10.254.77.2');
    const links = await runCommand('nsenter', [`--net=/proc/${pod?.pid ?? 0}/ns/net`, 'ip', '-o', 'link', 'show', 'eth0']);
    expect(links).toContain('mtu 1400');
  });

  it('is wired again over a leftover, and unwired twice', async () => {
    const wire = wires[1] ?? { link: '', address: '' };
    const fresh = spawn('unshare', ['-n', process.execPath, '-e', server], { stdio: ['ignore', 'pipe', 'inherit'] });
    pods.push(fresh);
    await new Promise((resolve) => fresh.stdout?.once('data', resolve));
    await wirePod(runCommand, { ...wire, pid: fresh.pid ?? 0 }, { mtu: 1400, nodeAddress: '127.0.0.1', hostPid: process.pid });
    expect(await ask(wire.address)).toBe('169.254.1.1');
    await unwirePod(runCommand, wire.link);
    await unwirePod(runCommand, wire.link);
    expect(await isWired(wire.link)).toBe(false);
  });

  it('is told from one whose maker died in the middle, and that is wired anew', async () => {
    const config = { mtu: 1400, nodeAddress: '127.0.0.1', hostPid: process.pid };
    const fresh = spawn('unshare', ['-n', process.execPath, '-e', server], { stdio: ['ignore', 'pipe', 'inherit'] });
    pods.push(fresh);
    await new Promise((resolve) => fresh.stdout?.once('data', resolve));
    const wire = { link: `skptest${process.pid % 10_000}9`, address: '10.254.77.9', pid: fresh.pid ?? 0 };
    wires.push(wire);
    const half = `${renderPodWire(wire, config).join('\n')}\n`;
    await runCommand('nsenter', [`--net=/proc/${wire.pid}/ns/net`, '--', 'ip', '-batch', '-'], half);
    expect(await isWired(wire.link)).toBe(false);
    await wirePod(runCommand, wire, config);
    expect(await isWired(wire.link)).toBe(true);
    expect(await ask(wire.address)).toBe('169.254.1.1');
  });
});
