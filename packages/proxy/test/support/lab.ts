import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { EndpointSlice, Node, Service } from '@skiff/api';
import { CleanupStack } from '@skiff/component-base';
import { startFakeApiserver, type FakeApiserver } from '@skiff/client/fake-apiserver';

/** A host with the real proxy process on it. */
export interface LabHost {
  readonly name: string;
  readonly address: string;
  readonly rootDir: string;
  readonly proxyPid: number;
  startProxy(): Promise<void>;
  stopProxy(signal: NodeJS.Signals): Promise<void>;
  /** Runs a program in the host's network namespace. */
  run(command: string, ...args: string[]): string;
  /** Pulls the cable, and puts it back. */
  setLink(state: 'up' | 'down'): void;
}

/**
 * Hosts in network namespaces on one switch, which drop by default what they forward and receive, with pods wired and routed as
 * the kubelet does it and the real proxy processes on them. Needs root. `host` is the first one; where one name is enough, it is meant.
 */
export interface Lab extends AsyncDisposable {
  readonly api: FakeApiserver;
  readonly hosts: readonly LabHost[];
  readonly rootDir: string;
  readonly instance: string;
  readonly nodeAddress: string;
  /** An address of the segment that no host has. */
  segmentAddress(n: number): string;
  /** Something that happens in a pod's namespace (`host`, `host2` …: in a host's; `client`: on a machine of the segment). See agent.mjs. */
  in(place: string, operation: string, options: object): Promise<unknown>;
  addPod(name: string, address: string, host?: number): Promise<void>;
  removePod(name: string): void;
  readonly proxyPid: number;
  startProxy(): Promise<void>;
  stopProxy(signal: NodeJS.Signals): Promise<void>;
  /** The apiserver can't be reached from now on, and again. */
  cutApi(): void;
  mendApi(): void;
  putService(name: string, spec: Service['spec'], status?: Service['status']): void;
  /** One slice: addresses, and the ports' target numbers by name. */
  putEndpoints(name: string, addresses: readonly string[], ports: EndpointSlice['ports'], more?: Partial<SliceEndpoint>): void;
  putNode(host: number, more?: Partial<Node>): void;
  run(command: string, ...args: string[]): string;
}
type SliceEndpoint = NonNullable<EndpointSlice['endpoints']>[number];

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
export async function eventually<T>(what: string, probe: () => Promise<T | undefined | false>, timeoutMs = 40_000): Promise<T> {
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

export async function startLab(o: { hosts?: number } = {}): Promise<Lab> {
  const stack = new CleanupStack();
  try {
    return await buildLab(stack, o.hosts ?? 1);
  } catch (error) {
    await stack[Symbol.asyncDispose]();
    throw error;
  }
}

interface Base {
  readonly stack: CleanupStack;
  readonly tag: string;
  readonly instance: string;
  readonly subnet: string;
  readonly agents: Map<string, Agent>;
}

/** A namespace with one link to the switch. */
function connectToSwitch({ stack, instance, subnet }: Base, name: string, last: number): string {
  const netns = `${instance}-${name}`;
  run('ip', 'netns', 'add', netns);
  stack.defer(() => run('ip', 'netns', 'delete', netns));
  run('ip', '-n', `${instance}-switch`, 'link', 'add', `p${last}`, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns);
  run('ip', '-n', `${instance}-switch`, 'link', 'set', `p${last}`, 'master', 'br0', 'up');
  for (const args of [
    'link set lo up',
    'link set eth0 up',
    `address add ${subnet}.${last}/24 dev eth0`,
    `route add default via ${subnet}.1`,
  ])
    run('ip', '-n', netns, ...args.split(' '));
  return netns;
}

/** Relays to the fake apiserver; can be cut. */
async function startRelay({ stack, subnet }: Base, apiPort: number): Promise<{ port: number; cut: () => void; mend: () => void }> {
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
  stack.defer(() => {
    for (const socket of relayed) socket.destroy();
    relay.close();
  });
  return {
    port: (relay.address() as AddressInfo).port,
    cut: () => {
      isCut = true;
      for (const socket of relayed) socket.destroy();
    },
    mend: () => {
      isCut = false;
    },
  };
}

function writeKubeconfig(path: string, server: string): void {
  const cluster = {
    clusters: [{ name: 'a', cluster: { server } }],
    users: [{ name: 'a', user: {} }],
    contexts: [{ name: 'a', context: { cluster: 'a', user: 'a' } }],
  };
  writeFileSync(path, JSON.stringify({ apiVersion: 'v1', kind: 'Config', ...cluster, 'current-context': 'a' }));
}

const nodeFlags = ['--import', 'tsx', '--conditions=skiff-source'];

async function addHost(base: Base, index: number, o: { tmp: string; kubeconfig: string }): Promise<LabHost> {
  const { stack, instance, subnet, agents } = base;
  const name = `n${index + 1}`;
  const place = index === 0 ? 'host' : `host${index + 1}`;
  const own = index === 0 ? instance : `${instance}-${index + 1}`;
  const netns = connectToSwitch(base, place, index + 2);
  const inHost = (command: string, ...args: string[]): string => run('nsenter', `--net=/run/netns/${netns}`, command, ...args);
  const rules = [
    '-P FORWARD DROP',
    '-P INPUT DROP',
    '-A INPUT -i lo -j ACCEPT',
    '-A INPUT -i eth0 -j ACCEPT',
    '-A INPUT -i skp+ -j ACCEPT',
  ];
  // Between hosts the kubelet's rules let pods pass.
  for (const rule of [...rules, ...(index === 0 ? [] : ['-A FORWARD -i eth0 -j ACCEPT', '-A FORWARD -o eth0 -j ACCEPT'])])
    inHost('iptables', ...rule.split(' '));
  inHost('sh', '-c', 'echo 1 > /proc/sys/net/ipv4/ip_forward');
  agents.set(place, await startAgent(netns, place));

  let proxy: ChildProcess | undefined;
  const proxyLog = join(o.tmp, `${place}.log`);
  const rootDir = join(o.tmp, index === 0 ? 'proxy' : `proxy${index + 1}`);
  stack.defer(() =>
    inHost(process.execPath, ...nodeFlags, join(source, 'main.ts'), '--cleanup', `--instance=${own}`, `--root-dir=${rootDir}`),
  );
  const stopProxy = async (signal: NodeJS.Signals): Promise<void> => {
    const child = proxy;
    proxy = undefined;
    if (child === undefined || child.exitCode !== null) return;
    const ended = new Promise((resolve) => child.once('exit', resolve));
    child.kill(signal);
    await ended;
  };
  stack.defer(() => stopProxy('SIGTERM'));
  const ask = (text: string): Promise<unknown> =>
    agents.get(place)?.ask('request', { host: '127.0.0.1', port: 10_256, text }) ?? Promise.resolve();
  return {
    name,
    address: `${subnet}.${index + 2}`,
    rootDir,
    get proxyPid() {
      return proxy?.pid ?? 0;
    },
    startProxy: async () => {
      const output = openSync(proxyLog, 'a');
      const flags = {
        kubeconfig: o.kubeconfig,
        'root-dir': rootDir,
        instance: own,
        'node-name': name,
        'service-cluster-ip-range': serviceCidr,
        'cluster-cidr': clusterCidr,
        'shadow-cidr': shadowCidr,
        'cluster-dns': dnsAddress,
        'healthz-port': 10_256,
        'resolv-conf': '/nonexistent',
      };
      const args = Object.entries(flags).map(([flag, value]) => `--${flag}=${value}`);
      proxy = spawn('nsenter', [`--net=/run/netns/${netns}`, process.execPath, ...nodeFlags, join(source, 'main.ts'), ...args], {
        stdio: ['ignore', output, output],
        cwd: repository,
      });
      const before = readFileSync(proxyLog, 'utf8').split('"synced"').length;
      await eventually(
        `the proxy has synced:\n${readFileSync(proxyLog, 'utf8')}`,
        async () => readFileSync(proxyLog, 'utf8').split('"synced"').length > before,
        90_000,
      );
      await eventually('healthy', async () => String(await ask('GET /healthz HTTP/1.0\r\n\r\n')).includes('200 OK'));
    },
    stopProxy,
    run: inHost,
    setLink: (state) => void run('ip', '-n', `${instance}-switch`, 'link', 'set', `p${index + 2}`, state),
  };
}

async function buildLab(stack: CleanupStack, hostCount: number): Promise<Lab> {
  const tag = `t${process.pid % 10_000}`;
  const instance = `lab${tag}`;
  // Two files at a time (vitest.config.ts): their workers' numbers keep them apart where their process ids, modulo 125, would not.
  const subnet = `10.196.${(process.pid % 125) * 2 + (Number(process.env['VITEST_POOL_ID'] ?? 0) % 2)}`;
  const base: Base = { stack, tag, instance, subnet, agents: new Map() };
  const { agents } = base;
  const tmp = mkdtempSync(join(tmpdir(), 'skiff-proxy-'));
  stack.defer(() => rmSync(tmp, { recursive: true, force: true }));
  run('ip', 'netns', 'add', `${instance}-switch`);
  stack.defer(() => run('ip', 'netns', 'delete', `${instance}-switch`));
  run('ip', '-n', `${instance}-switch`, 'link', 'add', 'br0', 'type', 'bridge');
  run('ip', '-n', `${instance}-switch`, 'link', 'set', 'br0', 'up');
  run('ip', 'link', 'add', `sk${tag}`, 'type', 'veth', 'peer', 'name', 'p1', 'netns', `${instance}-switch`);
  stack.defer(() => run('ip', 'link', 'delete', `sk${tag}`));
  run('ip', '-n', `${instance}-switch`, 'link', 'set', 'p1', 'master', 'br0', 'up');
  run('ip', 'address', 'add', `${subnet}.1/24`, 'dev', `sk${tag}`);
  run('ip', 'link', 'set', `sk${tag}`, 'up');

  const api = stack.use(await startFakeApiserver());
  const relay = await startRelay(base, Number(new URL(api.url).port));
  const kubeconfig = join(tmp, 'kubeconfig');
  writeKubeconfig(kubeconfig, `http://${subnet}.1:${relay.port}`);
  stack.defer(() => {
    for (const agent of agents.values()) agent.child.disconnect();
  });
  const hosts: LabHost[] = [];
  for (let i = 0; i < hostCount; i++) hosts.push(await addHost(base, i, { tmp, kubeconfig }));
  const podCidr = (i: number): string => (hostCount === 1 ? clusterCidr : `10.198.${i + 1}.0/24`);
  for (const h of hosts) {
    for (const [i, other] of hosts.entries())
      if (other !== h) h.run('ip', 'route', 'add', podCidr(i), 'via', other.address, 'src', h.address);
    if (hostCount > 1 && h === hosts[0]) for (const way of ['-i', '-o']) h.run('iptables', '-A', 'FORWARD', way, 'eth0', '-j', 'ACCEPT');
  }
  if (hostCount > 1) agents.set('client', await startAgent(connectToSwitch(base, 'client', 100), 'client'));

  const first = hosts[0];
  if (first === undefined) throw new Error('a lab has hosts');
  const podLinks = new Map<string, { host: LabHost; link: string }>();
  const lab: Lab = {
    api,
    hosts,
    rootDir: first.rootDir,
    instance,
    nodeAddress: first.address,
    segmentAddress: (n) => `${subnet}.${n}`,
    in: (place, operation, options) => {
      const agent = agents.get(place);
      if (agent === undefined) throw new Error(`no ${place}`);
      return agent.ask(operation, options);
    },
    addPod: async (name, address, index = 0) => {
      const host = hosts[index];
      if (host === undefined) throw new Error(`no host ${index}`);
      const netns = `${instance}-${name}`;
      const link = `skp${tag}${name}`;
      const hostNetns = `${instance}-${index === 0 ? 'host' : `host${index + 1}`}`;
      run('ip', 'netns', 'add', netns);
      stack.defer(() => run('ip', 'netns', 'delete', netns));
      run('ip', '-n', hostNetns, 'link', 'add', link, 'address', podGatewayMac, 'type', 'veth', 'peer', 'name', 'eth0', 'netns', netns);
      host.run('ip', 'link', 'set', link, 'up');
      const inside = [
        'link set lo up',
        `address add ${address}/32 dev eth0`,
        'link set eth0 up',
        `neighbour add 169.254.1.1 lladdr ${podGatewayMac} dev eth0`,
      ];
      for (const args of [...inside, 'route add 169.254.1.1/32 dev eth0', 'route add default via 169.254.1.1 dev eth0'])
        run('ip', '-n', netns, ...args.split(' '));
      host.run('ip', 'route', 'add', `${address}/32`, 'dev', link, 'src', host.address);
      podLinks.set(name, { host, link });
      agents.set(name, await startAgent(netns, name));
    },
    removePod: (name) => {
      agents.get(name)?.child.disconnect();
      agents.delete(name);
      const wired = podLinks.get(name);
      wired?.host.run('ip', 'link', 'delete', wired.link);
    },
    get proxyPid() {
      return first.proxyPid;
    },
    startProxy: first.startProxy,
    stopProxy: first.stopProxy,
    cutApi: relay.cut,
    mendApi: relay.mend,
    putService: (name, spec, status) => {
      const object = {
        apiVersion: 'v1',
        kind: 'Service',
        metadata: { name, namespace: 'ns' },
        spec,
        ...(status === undefined ? {} : { status }),
      };
      api.put('/api/v1/namespaces/ns/services', object as never);
    },
    putEndpoints: (name, addresses, ports, more = {}) => {
      const nodeOf = (address: string): string => (hostCount === 1 ? 'n1' : `n${address.split('.')[2] ?? ''}`);
      api.put('/apis/discovery.k8s.io/v1/namespaces/ns/endpointslices', {
        apiVersion: 'discovery.k8s.io/v1',
        kind: 'EndpointSlice',
        metadata: { name, namespace: 'ns', labels: { 'kubernetes.io/service-name': name } },
        addressType: 'IPv4',
        endpoints: addresses.map((address) => ({ addresses: [address], conditions: { ready: true }, nodeName: nodeOf(address), ...more })),
        ports,
      } as never);
    },
    putNode: (index, more = {}) => {
      const host = hosts[index];
      api.put('/api/v1/nodes', {
        apiVersion: 'v1',
        kind: 'Node',
        metadata: { name: host?.name ?? '' },
        spec: { podCIDRs: [podCidr(index)] },
        status: {
          addresses: [{ type: 'InternalIP', address: host?.address ?? '' }],
          conditions: [{ type: 'Ready', status: 'True' }],
        },
        ...more,
      } as never);
    },
    run: first.run,
    [Symbol.asyncDispose]: () => stack[Symbol.asyncDispose](),
  };
  for (const i of hosts.keys()) lab.putNode(i);
  return lab;
}
