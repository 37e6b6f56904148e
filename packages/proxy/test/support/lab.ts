import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EndpointSlice, Service } from '@skiff/api';
import { CleanupStack } from '@skiff/component-base';
import { startFakeApiserver, type FakeApiserver } from '@skiff/client/fake-apiserver';

/**
 * A host of its own in a network namespace, which drops by default what it forwards and receives, with pods wired as the
 * kubelet wires them and the real proxy process on it. Needs root.
 */
export interface Lab extends AsyncDisposable {
  readonly api: FakeApiserver;
  readonly rootDir: string;
  readonly instance: string;
  readonly nodeAddress: string;
  /** Something that happens in a pod's namespace (`host`: in the host's). See agent.mjs. */
  in(place: string, operation: string, options: object): Promise<unknown>;
  addPod(name: string, address: string): Promise<void>;
  removePod(name: string): void;
  readonly proxyPid: number;
  startProxy(): Promise<void>;
  stopProxy(signal: NodeJS.Signals): Promise<void>;
  /** The apiserver can't be reached from now on, and again. */
  cutApi(): void;
  mendApi(): void;
  putService(name: string, spec: Service['spec']): void;
  /** One slice: addresses, and the ports' target numbers by name. */
  putEndpoints(name: string, addresses: readonly string[], ports: EndpointSlice['ports']): void;
  run(command: string, ...args: string[]): string;
}

export const canRun = process.getuid?.() === 0;
export const serviceCidr = '10.199.0.0/16';
const podGatewayMac = 'ee:ee:ee:ee:ee:ee';
const clusterCidr = '10.198.0.0/16';
const shadowCidr = '10.197.0.0/16';
export const dnsAddress = '10.199.0.10';
const source = fileURLToPath(new URL('../../src/', import.meta.url));
const agentPath = fileURLToPath(new URL('./agent.mjs', import.meta.url));
const repository = fileURLToPath(new URL('../../../../', import.meta.url));

const run = (command: string, ...args: string[]): string =>
  execFileSync(command, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });

/** Asks again until it holds; what it says at the end is the error. */
export async function eventually<T>(what: string, probe: () => Promise<T | undefined | false>, timeoutMs = 10_000): Promise<T> {
  const endMs = performance.now() + timeoutMs;
  for (;;) {
    const value = await probe();
    if (value !== undefined && value !== false) return value;
    if (performance.now() > endMs) throw new Error(`not within ${timeoutMs} ms: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

interface Agent {
  readonly child: ChildProcess;
  ask(operation: string, options: object): Promise<unknown>;
}

async function startAgent(netns: string, name: string): Promise<Agent> {
  const child = spawn('nsenter', [`--net=/run/netns/${netns}`, process.execPath, agentPath, name], {
    stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
  });
  const waiting = new Map<number, { resolve: (value: unknown) => void; reject: (error: Error) => void }>();
  let lastId = 0;
  const ready = new Promise((resolve, reject) => {
    waiting.set(0, { resolve, reject });
    child.once('exit', () => {
      for (const w of waiting.values()) w.reject(new Error(`the agent of ${name} ended`));
    });
  });
  child.on('message', (message: { id: number; result?: unknown; error?: string }) => {
    const w = waiting.get(message.id);
    waiting.delete(message.id);
    if (message.error === undefined) w?.resolve(message.result);
    else w?.reject(new Error(message.error));
  });
  await ready;
  return {
    child,
    ask: (operation, options) =>
      new Promise((resolve, reject) => {
        const id = ++lastId;
        waiting.set(id, { resolve, reject });
        child.send({ id, operation, options });
      }),
  };
}

export async function startLab(): Promise<Lab> {
  const stack = new CleanupStack();
  try {
    return await buildLab(stack);
  } catch (error) {
    await stack[Symbol.asyncDispose]();
    throw error;
  }
}

async function buildLab(stack: CleanupStack): Promise<Lab> {
  const tag = `t${process.pid % 10_000}`;
  const instance = `lab${tag}`;
  const host = `${instance}-host`;
  const subnet = `10.196.${process.pid % 250}`;
  const nodeAddress = `${subnet}.2`;
  const rootDir = mkdtempSync(join(tmpdir(), 'skiff-proxy-'));
  stack.defer(() => rmSync(rootDir, { recursive: true, force: true }));

  const inHost = (command: string, ...args: string[]): string => run('nsenter', `--net=/run/netns/${host}`, command, ...args);
  run('ip', 'netns', 'add', host);
  stack.defer(() => run('ip', 'netns', 'delete', host));
  run('ip', 'link', 'add', `sk${tag}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', host);
  run('ip', 'address', 'add', `${subnet}.1/24`, 'dev', `sk${tag}`);
  run('ip', 'link', 'set', `sk${tag}`, 'up');
  for (const args of ['link set lo up', 'link set eth0 up', `address add ${nodeAddress}/24 dev eth0`, `route add default via ${subnet}.1`])
    inHost('ip', ...args.split(' '));
  for (const rule of [
    '-P FORWARD DROP',
    '-P INPUT DROP',
    '-A INPUT -i lo -j ACCEPT',
    '-A INPUT -i eth0 -j ACCEPT',
    '-A INPUT -i skp+ -j ACCEPT',
  ]) {
    inHost('iptables', ...rule.split(' '));
  }

  const api = stack.use(await startFakeApiserver());
  const apiPort = Number(new URL(api.url).port);
  let isCut = false;
  const relayed = new Set<Socket>();
  const relay = createServer((socket) => {
    if (isCut) {
      socket.destroy();
      return;
    }
    relayed.add(socket);
    socket.on('close', () => relayed.delete(socket));
    const upstream = connect(apiPort, '127.0.0.1');
    socket.pipe(upstream).pipe(socket);
    for (const s of [socket, upstream]) s.on('error', () => [socket, upstream].forEach((x) => x.destroy()));
  });
  await new Promise<void>((resolve) => relay.listen(0, `${subnet}.1`, resolve));
  stack.defer(() => relay.close());
  const kubeconfig = join(rootDir, 'kubeconfig');
  const server = `http://${subnet}.1:${(relay.address() as AddressInfo).port}`;
  const cluster = {
    clusters: [{ name: 'a', cluster: { server } }],
    users: [{ name: 'a', user: {} }],
    contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
  };
  writeFileSync(kubeconfig, JSON.stringify({ apiVersion: 'v1', kind: 'Config', ...cluster, 'current-context': 'a' }));
  api.put('/api/v1/nodes', {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: { name: 'n1' },
    spec: { podCIDRs: [clusterCidr] },
    status: { addresses: [{ type: 'InternalIP', address: nodeAddress }] },
  } as never);

  const agents = new Map<string, Agent>();
  stack.defer(() => {
    for (const agent of agents.values()) agent.child.disconnect();
  });
  agents.set('host', await startAgent(host, 'host'));

  let proxy: ChildProcess | undefined;
  const proxyLog = join(rootDir, 'proxy.log');
  const dataDir = join(rootDir, 'proxy');
  const nodeFlags = ['--import', 'tsx', '--conditions=skiff-source'];
  stack.defer(() => run(process.execPath, ...nodeFlags, join(source, 'main.ts'), '--cleanup', `--instance=${instance}`));
  const stopProxy = async (signal: NodeJS.Signals): Promise<void> => {
    const child = proxy;
    proxy = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  };
  stack.defer(() => stopProxy('SIGTERM'));

  const lab: Lab = {
    api,
    rootDir: dataDir,
    instance,
    nodeAddress,
    in: (place, operation, options) => {
      const agent = agents.get(place);
      if (agent === undefined) throw new Error(`no ${place}`);
      return agent.ask(operation, options);
    },
    addPod: async (name, address) => {
      const netns = `${instance}-${name}`;
      const link = `skp${tag}${name}`;
      run('ip', 'netns', 'add', netns);
      stack.defer(() => run('ip', 'netns', 'delete', netns));
      inHost('ip', 'link', 'add', link, 'address', podGatewayMac, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns);
      inHost('ip', 'link', 'set', link, 'up');
      const inside = [
        'link set lo up',
        `address add ${address}/32 dev eth0`,
        'link set eth0 up',
        `neighbour add 169.254.1.1 lladdr ${podGatewayMac} dev eth0`,
      ];
      for (const args of [...inside, 'route add 169.254.1.1/32 dev eth0', 'route add default via 169.254.1.1 dev eth0'])
        run('ip', '-n', netns, ...args.split(' '));
      inHost('ip', 'route', 'add', `${address}/32`, 'dev', link, 'src', nodeAddress);
      agents.set(name, await startAgent(netns, name));
    },
    removePod: (name) => {
      agents.get(name)?.child.disconnect();
      agents.delete(name);
      inHost('ip', 'link', 'delete', `skp${tag}${name}`);
    },
    get proxyPid() {
      return proxy?.pid ?? 0;
    },
    startProxy: async () => {
      const output = openSync(proxyLog, 'a');
      const flags = {
        kubeconfig,
        'root-dir': dataDir,
        instance,
        'node-name': 'n1',
        'service-cluster-ip-range': serviceCidr,
        'cluster-cidr': clusterCidr,
        'shadow-cidr': shadowCidr,
        'cluster-dns': dnsAddress,
        'healthz-port': 10_256,
        'resolv-conf': '/nonexistent',
      };
      const args = Object.entries(flags).map(([name, value]) => `--${name}=${value}`);
      proxy = spawn('nsenter', [`--net=/run/netns/${host}`, process.execPath, ...nodeFlags, join(source, 'main.ts'), ...args], {
        stdio: ['ignore', output, output],
        cwd: repository,
      });
      const before = readFileSync(proxyLog, 'utf8').split('"synced"').length;
      await eventually(
        `the proxy has synced:\n${readFileSync(proxyLog, 'utf8')}`,
        async () => readFileSync(proxyLog, 'utf8').split('"synced"').length > before,
        30_000,
      );
      await eventually('healthy', async () =>
        String(await lab.in('host', 'request', { host: '127.0.0.1', port: 10_256, text: 'GET /healthz HTTP/1.0\r\n\r\n' })).includes(
          '200 OK',
        ),
      );
    },
    stopProxy,
    cutApi: () => {
      isCut = true;
      for (const socket of relayed) socket.destroy();
    },
    mendApi: () => {
      isCut = false;
    },
    putService: (name, spec) => {
      api.put('/api/v1/namespaces/ns/services', { apiVersion: 'v1', kind: 'Service', metadata: { name, namespace: 'ns' }, spec } as never);
    },
    putEndpoints: (name, addresses, ports) => {
      api.put('/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices', {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name, namespace: 'ns', labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true }, nodeName: 'n1' })),
        ports,
      } as never);
    },
    run: inHost,
    [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
  };
  return lab;
}
