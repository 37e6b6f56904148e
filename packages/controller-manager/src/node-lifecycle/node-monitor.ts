import { lease as leases, node as nodes, pod as pods, type Lease, type Pod } from '@skiff/api';
import { hasReason, keyOf, type DeepReadonly } from '@skiff/apimachinery';
import { formatMicroTime, formatTime } from '@skiff/component-base';
import type { RunContext } from '../descriptor.ts';
import { podCondition } from '../pods/pod-state.ts';
import { evictionRate, HeartbeatTracker, isNodeReady, silentConditions, zoneOf, zoneState } from './node-health.ts';
import { computeTaints, wantedNoExecute, type NodeView } from './taints.ts';

const leaseNamespace = 'kube-node-lease';
/** A node counts as possibly silent after this share of the grace period. */
const suspicionShare = 0.4;
/** When all nodes fall silent at once, that is more likely here than there: they get this many grace periods. */
const allSilentGraces = 3;
export const podNodeIndex = 'nodeName';

/** Looks at all nodes once in a while: heartbeats, conditions, taints. Writes only what changes. */
export class NodeMonitor {
  readonly #context: RunContext;
  readonly #heartbeats = new HeartbeatTracker();
  readonly #buckets = new Map<string, { tokens: number; atMs: number }>();
  readonly #known = new Map<string, { uid: string; ready: boolean }>();
  #lastTickMs: number | undefined;
  #allSilent = false;
  #wasReady = false;

  constructor(context: RunContext) {
    this.#context = context;
    this.#leases();
    context.informers.informer(nodes);
    context.informers.informer(pods).addIndex(podNodeIndex, (pod) => (pod.spec?.nodeName ? [pod.spec.nodeName] : []));
  }

  #leases() {
    return this.#context.informers.informer<Lease>(leases, { namespace: leaseNamespace });
  }
  get synced(): Promise<unknown> {
    const { informers } = this.#context;
    return Promise.all([this.#leases().synced, informers.informer(nodes).synced, informers.informer(pods).synced]);
  }

  async tick(signal: AbortSignal): Promise<void> {
    const { clock, config, informers } = this.#context;
    const all = informers.informer(nodes).list();
    this.#noteMembers(all);
    for (const node of all)
      this.#heartbeats.observe(node, this.#leases().get({ namespace: leaseNamespace, name: node.metadata?.name ?? '' }));

    // A stopped process saw no heartbeats either: at most one period counts, and none in which the API didn't take a write.
    const nowMs = clock.monotonicMs();
    const passedMs = Math.min(this.#lastTickMs === undefined ? 0 : nowMs - this.#lastTickMs, 1.5 * config.nodeMonitorPeriodMs);
    this.#lastTickMs = nowMs;
    const graceMs = config.nodeMonitorGracePeriodMs;
    const suspicious = all.some(
      (node) =>
        this.#heartbeats.silentMs(node.metadata?.name ?? '') + passedMs > graceMs * suspicionShare &&
        wantedNoExecute(node) !== 'node.kubernetes.io/unreachable',
    );
    if (suspicious && !(await this.#probe(signal))) return;
    this.#heartbeats.advance(passedMs);

    const silent = (node: NodeView): boolean => this.#heartbeats.silentMs(node.metadata?.name ?? '') > graceMs;
    const allSilent = all.length > 0 && all.every(silent);
    if (allSilent !== this.#allSilent) {
      this.#allSilent = allSilent;
      if (allSilent)
        this.#context.log.error({ nodes: all.length }, 'all nodes are silent at once: no pod is evicted or taken out of service');
      else this.#context.log.info('not all nodes are silent any more');
    }
    for (const node of all) {
      try {
        if (
          silent(node) &&
          (!allSilent || all.length === 1 || this.#heartbeats.silentMs(node.metadata?.name ?? '') > graceMs * allSilentGraces)
        )
          await this.#markSilent(node, signal);
        await this.#noteReadiness(node, { allSilent, signal });
      } catch (error) {
        if (signal.aborted) return;
        this.#noteFailure(node, error);
      }
    }
    await this.#syncTaints(all, { allSilent, signal });
    this.#wasReady = true;
  }

  #noteMembers(all: readonly NodeView[]): void {
    const present = new Map(all.map((node) => [node.metadata?.name ?? '', node]));
    for (const [name, node] of present) {
      const uid = node.metadata?.uid ?? '';
      const known = this.#known.get(name);
      if (known?.uid === uid) continue;
      if (known !== undefined) this.#heartbeats.forget(name);
      this.#known.set(name, { uid, ready: isNodeReady(node) });
      if (this.#wasReady || known === undefined) this.#nodeEvent(name, uid, 'RegisteredNode', `Registered Node ${name} in Controller`);
    }
    for (const [name, { uid }] of this.#known) {
      if (present.has(name)) continue;
      this.#known.delete(name);
      this.#heartbeats.forget(name);
      this.#nodeEvent(name, uid, 'RemovingNode', `Removing Node ${name} from Controller`);
    }
  }
  #nodeEvent(name: string, uid: string, reason: string, message: string): void {
    this.#context.events.event(
      { apiVersion: 'v1', kind: 'Node', metadata: { name, uid } },
      'Normal',
      reason,
      `Node ${name} event: ${message}`,
    );
  }

  /**
   * Whether the API takes writes: who can't write must not blame a node for not having written. Asked only while a node seems
   * silent. A leader need not ask: it stops when it can't renew. Else the lease that it doesn't campaign for is at hand.
   */
  async #probe(signal: AbortSignal): Promise<boolean> {
    const { client, clock, config, log } = this.#context;
    if (config.leaderElection.elected) return true;
    const { lease } = config.leaderElection;
    const spec = { holderIdentity: 'kube-controller-manager', leaseDurationSeconds: 15, renewTime: formatMicroTime(clock.now()) };
    try {
      try {
        const current = await client.get(leases, lease, { signal });
        await client.update(leases, { ...current, spec: { ...current.spec, ...spec } }, { signal });
      } catch (error) {
        if (!hasReason(error, 'NotFound')) throw error;
        await client.create(leases, { metadata: { ...lease }, spec }, { signal });
      }
      return true;
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'the API takes no writes: the silence of nodes does not count');
      return false;
    }
  }

  async #markSilent(node: NodeView, signal: AbortSignal): Promise<void> {
    const { client, clock, log } = this.#context;
    const conditions = silentConditions(node, clock.now());
    if (conditions === undefined) return;
    log.warn({ node: node.metadata?.name }, 'node has fallen silent');
    await client.patch(
      nodes,
      { name: node.metadata?.name ?? '' },
      {
        type: 'merge',
        subresource: 'status',
        body: { metadata: { resourceVersion: node.metadata?.resourceVersion }, status: { conditions } },
      },
      { signal },
    );
  }

  /** On the way from ready to not ready its pods stop being ready, which takes them out of Services. */
  async #noteReadiness(node: NodeView, o: { allSilent: boolean; signal: AbortSignal }): Promise<void> {
    const name = node.metadata?.name ?? '';
    const known = this.#known.get(name);
    if (known === undefined) return;
    const ready = isNodeReady(node);
    if (known.ready && !ready)
      this.#context.events.event(
        { apiVersion: 'v1', kind: 'Node', metadata: { name, uid: known.uid } },
        'Normal',
        'NodeNotReady',
        `Node ${name} status is now: NodeNotReady`,
      );
    if (!ready && !o.allSilent) {
      for (const pod of this.#context.informers.informer(pods).byIndex(podNodeIndex, name)) {
        if (podCondition(pod, 'Ready')?.status === 'True') await this.#markPodNotReady(pod, o.signal);
      }
    }
    this.#known.set(name, { ...known, ready });
  }
  async #markPodNotReady(pod: DeepReadonly<Pod>, signal: AbortSignal): Promise<void> {
    const { client, clock, events } = this.#context;
    const condition = { type: 'Ready', status: 'False', lastTransitionTime: formatTime(clock.now()) };
    const key = { namespace: pod.metadata?.namespace ?? '', name: pod.metadata?.name ?? '' };
    try {
      await client.patch(
        pods,
        key,
        { type: 'strategic', subresource: 'status', body: { metadata: { uid: pod.metadata?.uid }, status: { conditions: [condition] } } },
        { signal },
      );
      events.event(pod, 'Warning', 'NodeNotReady', 'Node is not ready');
    } catch (error) {
      if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
    }
  }

  async #syncTaints(all: readonly NodeView[], o: { allSilent: boolean; signal: AbortSignal }): Promise<void> {
    const { client, clock, log } = this.#context;
    const zones = new Map<string, NodeView[]>();
    for (const node of all) zones.set(zoneOf(node), [...(zones.get(zoneOf(node)) ?? []), node]);
    const states = new Map(
      [...zones].map(([zone, members]) => [
        zone,
        zoneState(members.filter(isNodeReady).length, members.filter((n) => !isNodeReady(n)).length),
      ]),
    );
    const everythingDown = o.allSilent || (all.length > 0 && [...states.values()].every((s) => s === 'full'));
    for (const node of all) {
      const zone = zoneOf(node);
      const rate = evictionRate(states.get(zone) ?? 'normal', zones.get(zone)?.length ?? 0);
      const mayTaint = (): boolean => this.#takeToken(zone, rate);
      const now = formatTime(clock.now());
      let taints = computeTaints(node, { noExecute: everythingDown ? 'none' : false, now });
      const wanted = wantedNoExecute(node);
      const lacks = wanted !== undefined && !(node.spec?.taints ?? []).some((t) => t.key === wanted && t.effect === 'NoExecute');
      // A node that only changes from one of the two to the other is not held up: its pods' time runs already.
      const swaps =
        lacks &&
        (node.spec?.taints ?? []).some(
          (t) =>
            t.effect === 'NoExecute' &&
            t.key.startsWith('node.kubernetes.io/') &&
            (t.key.endsWith('/not-ready') || t.key.endsWith('/unreachable')),
        );
      if (lacks && !everythingDown && (swaps || mayTaint())) taints = computeTaints(node, { noExecute: true, now });
      if (taints === undefined) continue;
      try {
        await client.patch(
          nodes,
          { name: node.metadata?.name ?? '' },
          { type: 'merge', body: { metadata: { resourceVersion: node.metadata?.resourceVersion }, spec: { taints } } },
          { signal: o.signal },
        );
        log.info({ node: keyOf(node), taints: taints.map((t) => `${t.key}:${t.effect}`) }, 'taints changed');
      } catch (error) {
        if (o.signal.aborted) return;
        this.#noteFailure(node, error);
      }
    }
  }

  /** The next look tries again; one node's trouble must not keep the others waiting. */
  #noteFailure(node: NodeView, error: unknown): void {
    if (hasReason(error, 'Conflict') || hasReason(error, 'NotFound')) return;
    this.#context.log.warn({ node: node.metadata?.name, err: error }, 'could not update a node');
  }

  #takeToken(zone: string, perSecond: number): boolean {
    const nowMs = this.#context.clock.monotonicMs();
    const bucket = this.#buckets.get(zone) ?? { tokens: 1, atMs: nowMs };
    bucket.tokens = Math.min(1, bucket.tokens + ((nowMs - bucket.atMs) / 1000) * perSecond);
    bucket.atMs = nowMs;
    this.#buckets.set(zone, bucket);
    if (bucket.tokens < 1 || perSecond === 0) return false;
    bucket.tokens -= 1;
    return true;
  }
}
