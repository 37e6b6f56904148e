import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { CleanupStack } from '@skiff/component-base';
import type { HostPort } from '../../src/network/host-port.ts';
import type { Peer } from '../../src/network/nodes/peer.ts';

/**
 * Hosts as network namespaces that drop by default, on segments that a router joins, each with the pod network of one instance.
 * Needs root.
 */
export interface LabHost {
  readonly name: string;
  readonly address: string;
  readonly podCidr: string;
  /** As told to other hosts. */
  readonly peer: Peer;
  /** Starts the network as a kubelet does; `knowing`: what the API tells, nothing while it can't be reached. */
  start(knowing?: readonly Peer[], nodeAddress?: string): Promise<void>;
  tell(operation: string, options?: unknown): Promise<unknown>;
  addPod(hostPorts?: readonly HostPort[]): Promise<LabPod>;
  /** A command in the host's namespace. */
  run(command: string, ...args: string[]): string;
  /** A request from the host itself. */
  ask(host: string, o?: object): Promise<string>;
}
export interface LabPod {
  readonly address: string;
  ask(host: string, o?: object): Promise<string>;
  run(command: string, ...args: string[]): string;
}
export interface NodeLab extends AsyncDisposable {
  addHost(segment: number): Promise<LabHost>;
  /** A command in the router's namespace. */
  router(command: string, ...args: string[]): string;
}

export const canRun = process.getuid?.() === 0;
export const clusterCidr = '10.194.0.0/16';
export const instance = 'netlab';
const here = fileURLToPath(new URL('.', import.meta.url));
const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

interface Agent {
  readonly child: ChildProcess;
  tell(message: object): Promise<unknown>;
}

async function startAgent(command: string, args: readonly string[]): Promise<Agent> {
  const child = spawn(command, args, { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], cwd: here });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  const ready = new Promise((resolve, reject) => {
    waiting.set(0, { resolve, reject });
  });
  child.once('exit', () => {
    for (const w of waiting.values()) w.reject(new Error('the agent ended'));
  });
  child.on('message', (m: { id: number; result?: unknown; error?: string }) => {
    const w = waiting.get(m.id);
    waiting.delete(m.id);
    if (m.error === undefined) w?.resolve(m.result);
    else w?.reject(new Error(m.error));
  });
  await ready;
  const tell = (message: object): Promise<unknown> =>
    new Promise((resolve, reject) => {
      const id = ++lastId;
      waiting.set(id, { resolve, reject });
      child.send({ id, ...message });
    });
  return { child, tell };
}

export async function startNodeLab(): Promise<NodeLab> {
  const stack = new CleanupStack();
  const tag = `nl${process.pid % 10_000}`;
  const rootDir = mkdtempSync(join(tmpdir(), 'skiff-node-lab-'));
  stack.defer(() => rmSync(rootDir, { recursive: true, force: true }));
  const addNamespace = (name: string): string => {
    const netns = `${tag}-${name}`;
    run('ip', 'netns', 'add', netns);
    stack.defer(() => run('ip', 'netns', 'delete', netns));
    run('ip', '-n', netns, 'link', 'set', 'lo', 'up');
    return netns;
  };
  const routerNs = addNamespace('router');
  const router = (command: string, ...args: string[]): string => run('ip', 'netns', 'exec', routerNs, command, ...args);
  router('sysctl', '-qw', 'net.ipv4.ip_forward=1', 'net.ipv4.conf.all.rp_filter=1');
  for (const segment of [1, 2]) {
    for (const args of [
      `link add br${segment} type bridge`,
      `link set br${segment} up`,
      `address add 10.193.${segment}.1/24 dev br${segment}`,
    ])
      router('ip', ...args.split(' '));
  }

  let hosts = 0;
  const addHost = async (segment: number): Promise<LabHost> => {
    const index = ++hosts;
    const name = `h${index}`;
    const netns = addNamespace(name);
    const address = `10.193.${segment}.${10 + index}`;
    const podCidr = `10.194.${index}.0/24`;
    const inHost = (command: string, ...args: string[]): string => run('ip', 'netns', 'exec', netns, command, ...args);
    run('ip', '-n', netns, 'link', 'add', 'eth0', 'type', 'veth', 'peer', 'name', `p${index}`, 'netns', routerNs);
    router('ip', 'link', 'set', `p${index}`, 'master', `br${segment}`, 'up');
    for (const args of ['link set eth0 up', `address add ${address}/24 dev eth0`, `route add default via 10.193.${segment}.1`])
      inHost('ip', ...args.split(' '));
    for (const policy of ['INPUT', 'FORWARD']) inHost('iptables', '-P', policy, 'DROP');
    const inNamespace = ['netns', 'exec', netns, process.execPath];
    const agent = await startAgent('ip', [...inNamespace, '--import', 'tsx', '--conditions=skiff-source', join(here, 'host-agent.ts')]);
    stack.defer(() => agent.child.disconnect());
    const client = await startAgent('nsenter', [`--net=/run/netns/${netns}`, process.execPath, join(here, 'pod-agent.mjs')]);
    stack.defer(() => client.child.disconnect());
    let pods = 0;
    const tell = (operation: string, options?: unknown): Promise<unknown> => agent.tell({ operation, options });
    return {
      name,
      address,
      podCidr,
      peer: { name, address, podCidrs: [podCidr] },
      tell,
      run: inHost,
      start: async (knowing, nodeAddress = address) => {
        await tell('start', { instance, nodeAddress, clusterCidrs: [clusterCidr], file: join(rootDir, `${name}.json`) });
        if (knowing === undefined) return;
        await tell('podCidrs', [podCidr]);
        await tell('peers', knowing);
      },
      ask: async (host, o = {}) => (await client.tell({ options: { host, ...o } })) as string,
      addPod: async (hostPorts = []) => {
        const pod = await startAgent('unshare', ['-n', process.execPath, join(here, 'pod-agent.mjs')]);
        stack.defer(() => pod.child.disconnect());
        const pid = pod.child.pid ?? 0;
        const podAddress = (await tell('attach', { owner: { uid: `${name}-${++pods}`, attempt: 0 }, pid, hostPorts })) as string;
        return {
          address: podAddress,
          ask: async (host, o = {}) => (await pod.tell({ options: { host, ...o } })) as string,
          run: (command, ...args) => run('nsenter', `--net=/proc/${pid}/ns/net`, command, ...args),
        };
      },
    };
  };
  return { addHost, router, [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose]() };
}

/** Asks again until it holds; what was last seen is in the error. */
export async function eventually<T>(
  what: string,
  probe: () => Promise<T> | T,
  holds: (value: T) => boolean,
  timeoutMs = 45_000,
): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (holds(value)) return value;
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}; last seen: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
