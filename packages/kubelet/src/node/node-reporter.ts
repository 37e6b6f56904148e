import { node as nodes, type Node, type NodeStatus } from '@skiff/api';
import { type DeepReadonly, hasReason } from '@skiff/apimachinery';
import type { Client, EventRecorder, Informer } from '@skiff/client';
import { childSignal, type Clock, formatTime, type Logger } from '@skiff/component-base';
import type { ImageService, RuntimeService, RuntimeStatus } from '@skiff/cri';
import type { PressureCondition } from '../eviction/signals.ts';
import { inTime } from '../host/in-time.ts';
import type { PodNetwork } from '../network/pod-network.ts';
import { computeNodeConditions, stampNodeConditions } from './conditions.ts';
import { architecture, type MachineUsage, type NodeResources, readSystemInfo, readUsage } from './machine.ts';
import { mergeExtendedResources, nodeStatusDiffers, renderImages, renderNodePatch } from './node-status.ts';

export interface NodeConfig {
  readonly name: string;
  readonly addresses: readonly string[];
  readonly port: number;
  readonly labels: Readonly<Record<string, string>>;
  readonly taints: readonly { readonly key: string; readonly value: string; readonly effect: string }[];
  readonly resources: (usage: MachineUsage) => NodeResources;
  readonly rootDirectory: string;
  /** How often the state is looked at; it is written when it changed, else every `reportIntervalMs`. */
  readonly checkIntervalMs: number;
  readonly reportIntervalMs: number;
  /** So long in contact after a gap, a deletion of the Node is no news of the gap. */
  readonly settleMs: number;
}

export interface NodeReporter {
  /** Registers the node. Resolves with it; tries until it works. */
  register(signal: AbortSignal): Promise<Node>;
  run(signal: AbortSignal): Promise<void>;
  /** Something changed that the conditions tell of. */
  poke(): void;
  /** Images came or went. */
  imagesChanged(): void;
  current(): DeepReadonly<Node> | undefined;
  allocatable(): Readonly<Record<string, string>>;
}

/**
 * Whether a Node that is gone was taken away on purpose. Upstream's kubelet registers at its start only, so that `kubectl delete
 * node` holds until somebody starts it again. A host that was cut off for long is removed by the control plane instead, and comes
 * back by itself: it notices as soon as it is in contact again.
 */
export const isRemovedOnPurpose = (o: { inContactSinceMs: number; nowMs: number; settleMs: number }): boolean =>
  o.nowMs - o.inContactSinceMs > o.settleMs;

/** What Events are about. Upstream's kubelet refers to its node by name in the UID's place; tools look for that. */
export const nodeReference = (name: string) => ({ apiVersion: 'v1', kind: 'Node', metadata: { name, uid: name } });

const runtimePatienceMs = 10_000;
/** Upstream's: a runtime that was heard so lately is only restarting; its containers run on. */
const runtimeSilenceMs = 30_000;
const imagesIntervalMs = 300_000;

export function createNodeReporter(
  config: NodeConfig,
  deps: {
    client: Client;
    informer: Informer<Node>;
    runtime: RuntimeService;
    images: ImageService;
    network: Pick<PodNetwork, 'status' | 'routes'>;
    events: EventRecorder;
    clock: Clock;
    log: Logger;
    /** As found at the start. */
    resources: NodeResources;
    pressures: () => ReadonlySet<PressureCondition>;
    shuttingDown: () => boolean;
    relistAgeMs: () => number;
    /** Of device plugins. */
    devices: () => ReadonlyMap<string, { readonly capacity: number; readonly allocatable: number }>;
    /** Since when the API has answered without a gap; monotonic milliseconds. */
    inContactSinceMs: () => number;
    /** Attached volumes that pods of this node have. */
    volumesInUse: () => Promise<readonly string[]>;
  },
): NodeReporter {
  const { client, clock, log, runtime } = deps;
  let registered: Node | undefined;
  let wake: () => void = () => undefined;
  let woken = false;
  let images: NodeStatus['images'];
  let imagesAtMs = Number.NEGATIVE_INFINITY;
  let reportedAtMs = Number.NEGATIVE_INFINITY;
  let told: DeepReadonly<NodeStatus> | undefined;
  let info: Awaited<ReturnType<typeof readSystemInfo>> | undefined;
  let heard: { readonly status: RuntimeStatus; readonly atMs: number } | undefined;

  /** The Node was there and is not: somebody deleted it. */
  let deleted = false;
  deps.informer.subscribe({
    onAdd: () => {
      deleted = false;
    },
    onUpdate: (node) => {
      // While we were silent, somebody said of us that nobody knows how we are.
      if (node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'Unknown') === true) poke();
    },
    onDelete: () => {
      registered = undefined;
      deleted = isRemovedOnPurpose({
        inContactSinceMs: deps.inContactSinceMs(),
        nowMs: clock.monotonicMs(),
        settleMs: config.settleMs,
      });
      if (deleted)
        log.error('the Node object was deleted: this kubelet reports nothing more until it is restarted, or the object made anew');
      else poke();
    },
  });
  const poke = (): void => {
    woken = true;
    wake();
  };

  const current = (): DeepReadonly<Node> | undefined => deps.informer.get({ name: config.name }) ?? registered;
  const labels = (): Record<string, string> => ({
    'kubernetes.io/hostname': config.name,
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': architecture(),
    'beta.kubernetes.io/os': 'linux',
    'beta.kubernetes.io/arch': architecture(),
    ...config.labels,
  });

  /** A runtime that hangs must not keep the node from saying so. */
  const asked = <T>(what: string, answer: Promise<T>): Promise<T> => inTime(answer, { what, patienceMs: runtimePatienceMs, clock });
  /** While a runtime whose containers outlive it is silent for a moment, what it said last holds. */
  const readRuntime = async (): Promise<Omit<RuntimeStatus, 'cgroupVersion' | 'cgroupDriver'>> => {
    try {
      const status = await asked('status', runtime.status());
      heard = { status, atMs: clock.monotonicMs() };
      return status;
    } catch (error) {
      if (heard?.status.liveRestore === true && clock.monotonicMs() - heard.atMs < runtimeSilenceMs) return heard.status;
      const can = { recursiveReadOnlyMounts: false, supplementalGroupsPolicy: false, imageMounts: false };
      const unknown = { liveRestore: true, handlers: [''], ...can };
      return { ...(heard?.status ?? unknown), ready: false, message: error instanceof Error ? error.message : String(error) };
    }
  };
  const computeStatus = async (previous: DeepReadonly<NodeStatus>): Promise<NodeStatus> => {
    const status = await readRuntime();
    if (status.ready && info === undefined) info = await readSystemInfo(await asked('version', runtime.version()));
    if (status.ready && clock.monotonicMs() - imagesAtMs > imagesIntervalMs) {
      images = await asked('images', deps.images.listImages()).then(renderImages, () => images);
      imagesAtMs = clock.monotonicMs();
    }
    const usage = await readUsage(config.rootDirectory);
    const { capacity, allocatable } = config.resources(usage);
    for (const [name, count] of deps.devices()) {
      capacity[name] = String(count.capacity);
      allocatable[name] = String(count.allocatable);
    }
    const verdicts = computeNodeConditions({
      pressures: deps.pressures(),
      runtime: status,
      network: deps.network.status(),
      routes: deps.network.routes(),
      liveRestore: status.liveRestore,
      shuttingDown: deps.shuttingDown(),
      relistAgeMs: deps.relistAgeMs(),
    });
    const next: NodeStatus = {
      addresses: [...config.addresses.map((address) => ({ type: 'InternalIP', address })), { type: 'Hostname', address: config.name }],
      daemonEndpoints: { kubeletEndpoint: { Port: config.port } },
      ...(info === undefined ? {} : { nodeInfo: info }),
      images: images ?? [],
      capacity,
      allocatable,
      runtimeHandlers: status.handlers.map((name) => ({
        name,
        features: { recursiveReadOnlyMounts: status.recursiveReadOnlyMounts, userNamespaces: false },
      })),
      volumesInUse: [...(await deps.volumesInUse())],
      features: { supplementalGroupsPolicy: status.supplementalGroupsPolicy },
      conditions: stampNodeConditions(verdicts, previous.conditions ?? [], formatTime(clock.now())),
    };
    return mergeExtendedResources(previous, next);
  };

  const tellTransitions = (inApi: DeepReadonly<NodeStatus>, after: NodeStatus): void => {
    const before = told ?? inApi;
    told = after;
    const about = nodeReference(config.name);
    for (const c of after.conditions ?? []) {
      const old = before.conditions?.find((o) => o.type === c.type);
      if (old?.status === c.status) continue;
      const good = c.type === 'Ready' ? c.status === 'True' : c.status === 'False';
      const reason: Readonly<Record<string, readonly [string, string]>> = {
        Ready: ['NodeReady', 'NodeNotReady'],
        MemoryPressure: ['NodeHasSufficientMemory', 'NodeHasInsufficientMemory'],
        DiskPressure: ['NodeHasNoDiskPressure', 'NodeHasDiskPressure'],
        PIDPressure: ['NodeHasSufficientPID', 'NodeHasInsufficientPID'],
      };
      const name = reason[c.type]?.[good ? 0 : 1];
      if (name !== undefined) deps.events.event(about, 'Normal', name, `Node ${config.name} status is now: ${name}`);
    }
  };

  const registerOnce = async (signal: AbortSignal): Promise<Node> => {
    const status = await computeStatus({});
    const object: Node = {
      metadata: {
        name: config.name,
        labels: labels(),
        annotations: { 'volumes.kubernetes.io/controller-managed-attach-detach': 'true' },
      },
      ...(config.taints.length === 0 ? {} : { spec: { taints: config.taints.map((t) => ({ ...t })) } }),
      status,
    };
    try {
      const made = await client.create<Node>(nodes, object, { signal });
      tellTransitions({}, status);
      return made;
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) throw error;
    }
    const present = await client.get(nodes, { name: config.name }, { signal });
    const missing = Object.entries(labels()).filter(([k, v]) => present.metadata?.labels?.[k] !== v);
    if (missing.length === 0) return present;
    return client.patch<Node>(
      nodes,
      { name: config.name },
      { type: 'strategic', body: { metadata: { labels: Object.fromEntries(missing) } } },
      { signal },
    );
  };

  const report = async (signal: AbortSignal): Promise<void> => {
    const known = current();
    // As upstream: who deletes a Node means it, and a kubelet that still runs must not bring it back.
    if (deleted) return;
    if (known === undefined) {
      registered = await registerOnce(signal);
      return;
    }
    const before = known.status ?? {};
    const next = await computeStatus(before);
    const due = clock.monotonicMs() - reportedAtMs >= config.reportIntervalMs;
    if (!due && !nodeStatusDiffers(before, next)) return;
    tellTransitions(before, next);
    registered = await client.patch<Node>(
      nodes,
      { name: config.name },
      { type: 'strategic', subresource: 'status', body: renderNodePatch(before, next) },
      { signal },
    );
    reportedAtMs = clock.monotonicMs();
  };

  return {
    current,
    allocatable: () => current()?.status?.allocatable ?? deps.resources.allocatable,
    poke,
    imagesChanged: () => {
      imagesAtMs = Number.NEGATIVE_INFINITY;
    },
    register: async (signal) => {
      for (let delayMs = 50; ; delayMs = Math.min(delayMs * 2, 2000)) {
        signal.throwIfAborted();
        try {
          registered = await registerOnce(signal);
          return registered;
        } catch (error) {
          signal.throwIfAborted();
          log.warn({ err: error }, 'the node could not be registered; trying again');
          await clock.sleep(delayMs, signal);
        }
      }
    },
    run: async (signal) => {
      while (!signal.aborted) {
        await report(signal).catch((error: unknown) => {
          if (signal.aborted) return;
          log.warn({ err: error }, 'the node status could not be written');
        });
        if (!woken) {
          using nap = childSignal(signal);
          wake = () => nap.abort();
          await clock.sleep(config.checkIntervalMs, nap.signal).catch(() => undefined);
          wake = () => undefined;
        }
        woken = false;
      }
    },
  };
}
