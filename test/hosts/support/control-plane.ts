import { configMap, lease, type ConfigMap, type Lease } from '@skiff/api';
import { createClient, createReflector, parseKubeconfig, type Client, type ClientConfig } from '@skiff/client';
import { silentLogger, systemClock } from '@skiff/component-base';
import { splitWords } from '../../e2e/support/cluster.ts';
import type { Host } from '../../lab/host.ts';

/** `skiff join --control-plane` with what `skiff token create --control-plane` printed. Resolves with how many ms the join took. */
export async function joinControlPlane(control: Host, host: Host): Promise<number> {
  const printed = await control.ok('skiff', ['token', 'create', '--control-plane', '--print-join-command']);
  const [program = '', ...args] = splitWords(printed);
  const started = performance.now();
  await host.ok(program, args);
  return performance.now() - started;
}

/** An administrator's client of several hosts' apiservers, in the test's own process. */
export async function clientOf(hosts: readonly Host[]): Promise<{ client: Client; config: ClientConfig }> {
  const [first] = hosts;
  if (first === undefined) throw new Error('no hosts');
  const kubeconfig = parseKubeconfig(await first.ok('cat', ['/var/lib/skiff/kubeconfig/admin.conf']), {
    directory: '/',
    userAgent: 'skiff-stories',
  });
  const ports = await Promise.all(hosts.map((h) => h.forward(6443)));
  const config = { ...kubeconfig, servers: ports.map((p) => `https://127.0.0.1:${p.port}`) };
  return { client: createClient(config), config };
}

const label = 'story=writes';

export interface Writes {
  /** Names of objects whose creation was acknowledged, with the ms at which it was. */
  readonly acknowledged: ReadonlyMap<string, number>;
  readonly failures: readonly string[];
  stop(): Promise<void>;
}

/** Creates objects `<prefix>-<n>` at a steady rate, each once: a creation without an answer is not repeated. */
export function writeSteadily(client: Client, perSecond: number, prefix: string): Writes {
  const acknowledged = new Map<string, number>();
  const failures: string[] = [];
  const running = new Set<Promise<void>>();
  const stopping = new AbortController();
  let count = 0;
  const write = async (name: string): Promise<void> => {
    try {
      await client.create(configMap, { metadata: { name, namespace: 'default', labels: { story: 'writes' } } });
      acknowledged.set(name, performance.now());
    } catch (error) {
      failures.push(error instanceof Error ? error.message : String(error));
    }
  };
  const timer = setInterval(() => {
    const one = write(`${prefix}-${++count}`).finally(() => running.delete(one));
    running.add(one);
  }, 1000 / perSecond);
  return {
    acknowledged,
    failures,
    stop: async () => {
      clearInterval(timer);
      stopping.abort();
      await Promise.all(running);
    },
  };
}

/** The longest time without an acknowledgement, in ms. */
export function longestGap(w: Writes): number {
  const times = [...w.acknowledged.values()].toSorted((a, b) => a - b);
  return Math.max(...times.slice(1).map((t, i) => t - (times[i] ?? t)));
}

export interface Watching {
  readonly names: readonly string[];
  /** What a watcher must never see. */
  readonly complaints: readonly string[];
  /** How often it had to begin from a list. */
  readonly lists: number;
  stop(): Promise<void>;
}

/** Watches what `writeSteadily` makes, over whatever happens to the servers. */
export function watchWrites(client: Client): Watching {
  const seen = new Set<string>();
  const complaints: string[] = [];
  let lists = 0;
  let last = 0;
  const stop = new AbortController();
  const note = (type: string, object: ConfigMap): void => {
    const name = object.metadata?.name ?? '';
    const revision = Number(object.metadata?.resourceVersion);
    if (type !== 'ADDED') complaints.push(`${type} ${name}`);
    if (seen.has(name)) complaints.push(`${name} twice`);
    if (revision <= last) complaints.push(`${name} at ${revision} after ${last}`);
    last = Math.max(last, revision);
    seen.add(name);
  };
  const reflector = createReflector<ConfigMap>(
    {
      resource: configMap,
      options: { namespace: 'default', labelSelector: label },
      sink: {
        replace: (objects) => {
          lists += 1;
          for (const object of objects) seen.add(object.metadata?.name ?? '');
        },
        apply: note,
        progress: () => undefined,
      },
    },
    { client, clock: systemClock, log: silentLogger },
  );
  const running = reflector.run(stop.signal);
  return {
    get names() {
      return [...seen];
    },
    complaints,
    get lists() {
      return lists;
    },
    stop: async () => {
      stop.abort();
      await running;
    },
  };
}

/** Holder and number of changes of a leader. */
export async function leaderOf(client: Client, name: string): Promise<{ holder: string; transitions: number }> {
  const { spec }: Lease = await client.get(lease, { namespace: 'kube-system', name });
  return { holder: spec?.holderIdentity ?? '', transitions: spec?.leaseTransitions ?? 0 };
}

/** Lines of `skiff members`: name → state. */
export async function membersOf(host: Host): Promise<ReadonlyMap<string, string>> {
  const lines = (await host.ok('skiff', ['members'])).trim().split('\n');
  return new Map(lines.map((line) => [line.split(/\s+/)[0] ?? '', line.split(/\s+/).slice(2).join(' ')]));
}
