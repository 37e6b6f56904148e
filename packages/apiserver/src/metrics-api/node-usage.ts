import type { Node } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { aborted, childSignal, type Clock } from '@skiff/component-base';
import { answerOf, type KubeletClient } from '../connect/kubelet-client.ts';
import { kubeletRoute } from '../connect/node-address.ts';

/** Counters of one subject at one moment. */
export interface Reading {
  readonly cpuNanos: number;
  readonly memoryBytes: number;
}
export interface ContainerReading extends Reading {
  /** When its counters began, and how long that was ago, by the node's clock and in whole seconds. */
  readonly startedAtMs: number;
  readonly ageMs: number;
}
export interface Sample {
  readonly atMs: number;
  readonly node: Reading;
  /** By `namespace/pod`, then by container. */
  readonly pods: ReadonlyMap<string, ReadonlyMap<string, ContainerReading>>;
}
/** Two samples of a node: rates are what lies between them. */
export interface Usage {
  readonly before: Sample;
  readonly after: Sample;
}

/** A pair of samples is good for so long. */
const freshMs = 10_000;
/** Older than this, a sample tells nothing about now; then two are taken, so far apart. */
const staleMs = 60_000;
const pairMs = 1_000;
const callMs = 10_000;
const maxBytes = 16 * 1024 * 1024;

interface Figures {
  readonly cpu?: { readonly time?: string; readonly usageCoreNanoSeconds?: number };
  readonly memory?: { readonly workingSetBytes?: number };
}
interface ContainerFigures extends Figures {
  readonly name: string;
  readonly startTime?: string;
}
interface Summary {
  readonly node?: Figures;
  readonly pods?: readonly {
    readonly podRef: { readonly name: string; readonly namespace: string };
    readonly containers?: readonly ContainerFigures[];
  }[];
}

const readingOf = (f: Figures | undefined): Reading => ({
  cpuNanos: f?.cpu?.usageCoreNanoSeconds ?? 0,
  memoryBytes: f?.memory?.workingSetBytes ?? 0,
});

function containerReadingOf(c: ContainerFigures): ContainerReading {
  const startedAtMs = Date.parse(c.startTime ?? '') || 0;
  return { ...readingOf(c), startedAtMs, ageMs: (Date.parse(c.cpu?.time ?? '') || 0) - startedAtMs };
}

export function parseSummary(text: string, atMs: number): Sample {
  const summary = JSON.parse(text) as Summary;
  return {
    atMs,
    node: readingOf(summary.node),
    pods: new Map(
      (summary.pods ?? []).map((p) => [
        `${p.podRef.namespace}/${p.podRef.name}`,
        new Map((p.containers ?? []).map((c) => [c.name, containerReadingOf(c)])),
      ]),
    ),
  };
}

/** What nodes and pods use, asked of the kubelets when somebody wants to know, and kept for a moment. */
export interface NodeUsages {
  /** Of those nodes that answer; all are asked at once. What is kept of a node is asked anew where it is not `enough`. */
  of(
    nodes: readonly DeepReadonly<Node>[],
    signal: AbortSignal,
    enough?: (name: string, usage: Usage) => boolean,
  ): Promise<ReadonlyMap<string, Usage>>;
}

export function createNodeUsages(deps: { kubelets: KubeletClient; clock: Clock }): NodeUsages {
  const { kubelets, clock } = deps;
  const known = new Map<string, { latest: Sample; pair: Usage | undefined }>();
  const running = new Map<string, Promise<Usage>>();

  const take = async (node: DeepReadonly<Node>, signal: AbortSignal): Promise<Sample> => {
    const name = node.metadata?.name ?? '';
    const address = kubelets.addressOf(node);
    using limited = childSignal(signal, callMs);
    const request = await kubelets.open({
      scheme: 'https',
      route: kubeletRoute(name, address),
      method: 'GET',
      path: '/stats/summary?only_cpu_and_memory=true',
      headers: { host: `${address.host}:${address.port}`, accept: 'application/json' },
      kubelet: true,
    });
    request.end();
    const { response } = await answerOf(request, limited.signal);
    const pieces: Buffer[] = [];
    let bytes = 0;
    for await (const piece of response) {
      bytes += (piece as Buffer).length;
      if (bytes > maxBytes) throw new Error(`the statistics of node ${name} have more than ${maxBytes} bytes`);
      pieces.push(piece as Buffer);
    }
    if (response.statusCode !== 200) throw new Error(`node ${name} answered ${response.statusCode}`);
    return parseSummary(Buffer.concat(pieces).toString(), clock.now());
  };
  const measure = async (
    node: DeepReadonly<Node>,
    signal: AbortSignal,
    enough: (name: string, usage: Usage) => boolean,
  ): Promise<Usage> => {
    const name = node.metadata?.name ?? '';
    const entry = known.get(name);
    const nowMs = clock.now();
    const kept = entry?.pair;
    const keptMs = kept === undefined ? freshMs : nowMs - kept.after.atMs;
    if (kept !== undefined && keptMs < freshMs && (keptMs < pairMs || enough(name, kept))) return kept;
    let before = entry?.latest;
    if (before === undefined || nowMs - before.atMs > staleMs || nowMs - before.atMs < pairMs) {
      before = await take(node, signal);
      await clock.sleep(pairMs, signal);
    }
    const after = await take(node, signal);
    const pair = { before, after };
    known.set(name, { latest: after, pair });
    return pair;
  };
  return {
    of: async (nodes, signal, enough = () => true) => {
      const nowMs = clock.now();
      for (const [name, { latest }] of known) if (nowMs - latest.atMs > staleMs) known.delete(name);
      const asking = Promise.allSettled(
        nodes.map((node) => {
          const name = node.metadata?.name ?? '';
          const present = running.get(name);
          if (present !== undefined) return present;
          // Shared by all who ask meanwhile: it does not end with the one who asked first.
          const made = measure(node, AbortSignal.timeout(2 * callMs + pairMs), enough).finally(() => running.delete(name));
          running.set(name, made);
          return made;
        }),
      );
      await Promise.race([asking, aborted(signal)]);
      signal.throwIfAborted();
      const found = await asking;
      const out = new Map<string, Usage>();
      found.forEach((f, i) => {
        if (f.status === 'fulfilled') out.set(nodes[i]?.metadata?.name ?? '', f.value);
      });
      return out;
    },
  };
}
