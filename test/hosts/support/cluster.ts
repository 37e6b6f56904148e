import { node as nodeResource } from '@skiff/api';
import { createClient, parseKubeconfig, type Client } from '@skiff/client';
import { busyboxImage, nodeImage, type HostImage } from '@skiff/testing/host-image';
import { testImages, webProgram } from '../../e2e/support/images.ts';
import { eventually, splitWords, type CommandResult } from '../../e2e/support/cluster.ts';
import type { Host } from '../../lab/host.ts';
import type { RunOptions } from '../../lab/inside.ts';
import { startLab, type Lab, type LabOptions } from '../../lab/lab.ts';

export interface ClusterOptions extends LabOptions {
  /** How many of the hosts are in the cluster, from the first on; default all that have an engine. */
  readonly members?: number;
  /** Further flags for `skiff up` on the first host. */
  readonly up?: readonly string[];
  /** Further flags for `skiff join`. */
  readonly join?: readonly string[];
}

/** A cluster over the hosts of a lab; the first host is its control plane. */
export interface HostsCluster extends AsyncDisposable {
  readonly lab: Lab;
  readonly control: Host;
  /** The hosts that are nodes. */
  readonly nodes: readonly Host[];
  /** An administrator's client, in the test's own process. */
  readonly client: Client;
  /** ms that `skiff up` took, and that `skiff join` took on each further host. */
  readonly upMs: number;
  readonly joinMs: readonly number[];
  /** kubectl on the control plane's host; throws with what it printed when it fails. */
  kubectl(args: string, o?: RunOptions): Promise<string>;
  tryKubectl(args: string, o?: RunOptions): Promise<CommandResult>;
  /** Creates or changes objects. */
  apply(...objects: readonly object[]): Promise<void>;
  close(): Promise<void>;
}

/** The images of the stories that are made of this machine's programs: busybox, and the web server. */
const storyImages = (): readonly HostImage[] => [
  busyboxImage(testImages.busybox),
  { ...nodeImage(testImages.web1, { '/web.js': webProgram }, ['node', '/web.js']), environment: { VERSION: '1' } },
];

/** The web server's second version, in the engine of a host: the first with another setting. */
async function makeSecondVersion(host: Host): Promise<void> {
  const container = await host.docker.createContainer({ Image: testImages.web1 });
  const [repo, tag] = testImages.web2.split(':');
  await container.commit({ repo, tag, changes: 'ENV VERSION=2' });
  await container.remove();
}

/** Runs the command that `skiff token create --print-join-command` printed. Resolves with how many ms it took. */
export async function joinHost(control: Host, host: Host, flags: readonly string[] = []): Promise<number> {
  const [program = '', ...args] = splitWords(await control.ok('skiff', ['token', 'create', '--print-join-command']));
  const started = performance.now();
  await host.ok(program, [...args, ...flags]);
  return performance.now() - started;
}

/** `skiff up` on the first host and `skiff join` on the others, at once. Everything is gone with `close`. */
export async function startCluster(o: ClusterOptions): Promise<HostsCluster> {
  const lab = await startLab({ images: storyImages(), ...o });
  try {
    const nodes = lab.hosts.filter((h) => h.hasEngine).slice(0, o.members);
    const control = lab.host(0);
    if (o.images === undefined) await Promise.all(nodes.map(makeSecondVersion));
    const upMs = (await control.runOk('skiff', ['up', ...(o.up ?? [])])).ms;
    const joinMs = await Promise.all(nodes.slice(1).map((h) => joinHost(control, h, o.join)));
    const api = await control.forward(6443);
    const kubeconfig = parseKubeconfig(await control.ok('cat', ['/var/lib/skiff/kubeconfig/admin.conf']), {
      directory: control.path('/var/lib/skiff/kubeconfig'),
      userAgent: 'skiff-stories',
    });
    const client = createClient({ ...kubeconfig, servers: [`https://127.0.0.1:${api.port}`] });
    const cluster: HostsCluster = {
      lab,
      control,
      nodes,
      client,
      upMs,
      joinMs,
      kubectl: (args, options) => control.kubectl(args, options),
      tryKubectl: (args, options) => control.tryKubectl(args, options),
      async apply(...objects) {
        await control.kubectl('apply -f -', { input: JSON.stringify({ apiVersion: 'v1', kind: 'List', items: objects }) });
      },
      async close() {
        client.close();
        api.close();
        await lab.close();
      },
      [Symbol.asyncDispose]: () => cluster.close(),
    };
    // A node is Ready a little before pods may go there.
    await eventually('pods may be placed on all nodes', async () => {
      const { items } = await client.list(nodeResource);
      const taints = items.flatMap((n) => (n.spec?.taints ?? []).map((t) => `${n.metadata?.name} ${t.key}`));
      if (items.length === nodes.length && !taints.some((t) => t.includes('node.kubernetes.io/'))) return true;
      throw new Error(`${items.length} nodes; taints: ${taints.join(', ')}`);
    });
    return cluster;
  } catch (error) {
    await lab.close();
    throw error;
  }
}
