import { decode, encode } from 'dns-packet';
import { readFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeLine, lineDecoder } from '../src/data/frames.ts';
import type { DataReply } from '../src/data/protocol.ts';
import { findDataProcesses } from '../src/host/cleanup.ts';
import { canRun, dnsAddress, eventually, startLab, type Lab } from './support/lab.ts';

if (!canRun) console.warn('SKIPPED: the tests of restarts of the proxy need root (network namespaces)');

const web = '10.199.0.50';

describe.skipIf(!canRun)('open connections', () => {
  let lab: Lab;
  const request = (place = 'p3', host = web, port = 80): Promise<string> => lab.in(place, 'request', { host, port }) as Promise<string>;
  /** Requests one after another until told to stop; how each one ended that was no answer. */
  function load(): { stop(): Promise<{ answered: number; failed: readonly string[] }> } {
    let stopped = false;
    let answered = 0;
    const failed: string[] = [];
    const loop = async (host: string, port: number): Promise<void> => {
      while (!stopped) {
        const answer = await request('host', host, port);
        if (/^p\d /.test(answer)) answered++;
        else failed.push(answer);
      }
    };
    const loops = [loop(web, 80), loop(web, 80), loop('127.0.0.1', 30_080)];
    return {
      stop: async () => {
        stopped = true;
        await Promise.all(loops);
        return { answered, failed };
      },
    };
  }

  beforeAll(async () => {
    lab = await startLab();
    await lab.addPod('p1', '10.198.1.1');
    await lab.addPod('p3', '10.198.1.3');
    const udp = { name: 'udp', port: 80, protocol: 'UDP' };
    lab.putService('web', { type: 'NodePort', clusterIP: web, ports: [{ name: 'http', port: 80, nodePort: 30_080 }, udp] });
    lab.putEndpoints(
      'web',
      ['10.198.1.1'],
      [
        { name: 'http', port: 8080 },
        { name: 'udp', port: 8082, protocol: 'UDP' },
      ],
    );
    await lab.startProxy();
    await eventually('it answers', async () => (await request()).startsWith('p1'));
    await eventually('at the node port too', async () => (await request('host', '127.0.0.1', 30_080)).startsWith('p1'));
  });
  afterAll(async () => {
    await lab[Symbol.asyncDispose]();
  });

  it('survive the death of proxy, and nothing is refused while it is away', async () => {
    await lab.in('p3', 'hold', { key: 'a', host: web, port: 80 });
    await lab.in('p3', 'write', { key: 'a', text: '12345' });
    const running = load();
    await lab.stopProxy('SIGKILL');
    await eventually('some requests without it', async () => (await request()).startsWith('p1'));
    await lab.startProxy();
    const { answered, failed } = await running.stop();
    expect(failed).toEqual([]);
    expect(answered).toBeGreaterThan(10);
    await lab.in('p3', 'write', { key: 'a', text: '67890' });
    expect(await lab.in('p3', 'finish', { key: 'a' })).toMatch(/^p1 \S+ 10 /);
  });

  it('survive the hand-over to a new version, after which the old one ends; nothing is refused meanwhile', async () => {
    await lab.in('p3', 'hold', { key: 'b', host: web, port: 80 });
    await lab.in('p3', 'write', { key: 'b', text: '12345' });
    const [old] = findDataProcesses(lab.instance);
    const running = load();
    // Another version than proxy's own, so that proxy at once has it handed over once more: two in a row.
    const command = await commandOf(old ?? 0);
    const other = command.map((a) => (a.startsWith('--data-version=') ? '--data-version=other' : a));
    const handedOver = await askData(join(lab.rootDir, 'data.sock'), other);
    expect(handedOver).toEqual({ type: 'handed-over', id: 1 });
    const version = command.find((a) => a.startsWith('--data-version=')) ?? '';
    await eventually("proxy's version serves again", async () => {
      const pids = findDataProcesses(lab.instance).filter((pid) => pid !== old);
      return (await Promise.all(pids.map(commandOf))).some((c) => c.includes(version));
    });
    await eventually('requests go on', async () => (await request()).startsWith('p1'));
    const { answered, failed } = await running.stop();
    expect(failed).toEqual([]);
    expect(answered).toBeGreaterThan(10);
    expect(await lab.in('p3', 'datagram', { host: web, port: 80 })).toContain('p1');
    await lab.in('p3', 'write', { key: 'b', text: '67890' });
    expect(await lab.in('p3', 'finish', { key: 'b' })).toMatch(/^p1 \S+ 10 /);
    await eventually('the old ones are gone', async () => findDataProcesses(lab.instance).length === 1);
    expect(await request('host', '127.0.0.1', 30_080)).toContain('p1');
  });

  it('end only with proxy-data itself, which is back at once', async () => {
    const [pid] = findDataProcesses(lab.instance);
    if (pid !== undefined) process.kill(pid, 'SIGKILL');
    const startedMs = performance.now();
    await eventually('it answers again', async () => (await request()).startsWith('p1'));
    expect(performance.now() - startedMs).toBeLessThan(20_000);
    await eventually('at the node port too', async () => (await request('host', '127.0.0.1', 30_080)).startsWith('p1'));
  });

  it('and names come back without an apiserver, when proxy and proxy-data both died', async () => {
    const memory = join(lab.rootDir, 'remembered.json');
    await eventually(
      'what is known was written down',
      async () => (await readFile(memory, 'utf8').catch(() => '')).includes('"10.198.1.1"'),
      90_000,
    );
    lab.cutApi();
    await lab.stopProxy('SIGKILL');
    for (const pid of findDataProcesses(lab.instance)) process.kill(pid, 'SIGKILL');
    const started = lab.startProxy();
    await eventually('it answers again', async () => (await request()).startsWith('p1'), 90_000);
    const question = encode({ type: 'query', id: 1, flags: 256, questions: [{ type: 'A', name: 'web.ns.svc.cluster.local' }] });
    const answer = await lab.in('p3', 'datagram', { host: dnsAddress, port: 53, text: question.toString('hex'), hex: true });
    expect(decode(Buffer.from(String(answer), 'hex')).answers).toMatchObject([{ type: 'A', data: web }]);
    lab.mendApi();
    await started;
    expect(await request()).toContain('p1');
  });

  it('rules, routes and the namespace are put back when someone removes them', async () => {
    lab.run('iptables', '-F', 'FORWARD');
    lab.run('iptables', '-F', 'INPUT');
    for (const rule of ['-i lo', '-i eth0', '-i skp+']) lab.run('iptables', '-A', 'INPUT', ...rule.split(' '), '-j', 'ACCEPT');
    await eventually('the way is open again', async () => (await request()).startsWith('p1'), 90_000);
  });
});

async function commandOf(pid: number): Promise<readonly string[]> {
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8')).split('\0').filter((a) => a !== '');
}

function askData(path: string, command: readonly string[]): Promise<DataReply> {
  return new Promise((resolve, reject) => {
    const socket = connect(path);
    socket.on('error', reject);
    socket.on('connect', () => socket.write(encodeLine({ type: 'hand-over', id: 1, command })));
    socket.on(
      'data',
      lineDecoder((message) => {
        const reply = message as DataReply;
        if (reply.type === 'handed-over') resolve(reply);
      }),
    );
  });
}
