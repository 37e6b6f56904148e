import { lease as leases, node as nodes, pod as pods, type Lease } from '@skiff/api';
import { hasReason, keyOf, type DeepReadonly } from '@skiff/apimachinery';
import { formatMicroTime, formatTime } from '@skiff/component-base';
import type { RunContext } from '../descriptor.ts';
import { HeartbeatTracker, isNodeReady, readinessOf, silentConditions } from './node-health.ts';
import { takeOutOfService } from './pods-of-lost-node.ts';
import { computeTaints, hasHealthNoExecute, wantedNoExecute, type NodeView } from './taints.ts';
import { EvictionZones } from './zones.ts';

const leaseNamespace = 'kube-node-lease';
/** A node counts as possibly silent after this share of the grace period. */
const suspicionShare = 0.4;
/** No living node is silent for this share of it: it renews its Lease several times within the period. */
const quietShare = 0.5;
/** When all nodes fall silent at once, that is more likely here than there: they get this many grace periods. */
const allSilentGraces = 3;
export const podNodeIndex = 'nodeName';

interface KnownNode {
  readonly uid: string;
  readonly ready: boolean;
  /** Its pods were taken out of service when it stopped being ready. */
  readonly podsMarked: boolean;
}

/** Looks at all nodes once in a while: heartbeats, conditions, taints. Writes only what changes. */
export class NodeMonitor {
  readonly #context: RunContext;
  readonly #heartbeats = new HeartbeatTracker();
  readonly #zones: EvictionZones;
  readonly #known = new Map<string, KnownNode>();
  #lastTickMs: number | undefined;
  #allSilent = false;
  #allDown = false;

  constructor(context: RunContext) {
    this.#context = context;
    this.#zones = new EvictionZones(context.config.evictionRates, context.clock);
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

  /** Resolves with the time until a node may have been silent for too long, at most one period, in milliseconds. */
  async tick(signal: AbortSignal): Promise<number> {
    const { clock, config, informers, log } = this.#context;
    const all = informers.informer(nodes).list();
    this.#noteMembers(all);
    // A stopped process saw no heartbeats either: at most one period counts, and none in which the API didn't take a write.
    const nowMs = clock.monotonicMs();
    const passedMs = Math.min(this.#lastTickMs === undefined ? 0 : nowMs - this.#lastTickMs, 1.5 * config.nodeMonitorPeriodMs);
    this.#lastTickMs = nowMs;
    const suspicious = all.some(
      (node) => this.#silentMs(node) + passedMs > this.#graceMs(node) * suspicionShare && readinessOf(node) !== 'Unknown',
    );
    if (suspicious && !(await this.#probe(signal))) return config.nodeMonitorPeriodMs;
    this.#heartbeats.advance(passedMs);
    for (const node of all) this.#heartbeats.observe(node, this.#leaseOf(node));

    // Nodes don't fall silent in the same moment: each renews at a time of its own. It begins with one that is about to be blamed.
    const share = (node: NodeView): number => this.#silentMs(node) / this.#graceMs(node);
    const overdue = all.filter((node) => share(node) > 1);
    const allSilent =
      overdue.some((node) => this.#allSilent || readinessOf(node) !== 'Unknown') && all.every((node) => share(node) > quietShare);
    if (allSilent !== this.#allSilent) {
      this.#allSilent = allSilent;
      if (allSilent) log.error({ nodes: all.length }, 'all nodes are silent at once: no pod is evicted or taken out of service');
      else {
        log.info('not all nodes are silent any more');
        this.#heartbeats.forgive();
      }
    }
    await Promise.all(
      all.map(async (node) => {
        try {
          const graces = allSilent && all.length > 1 ? allSilentGraces : 1;
          if (this.#silentMs(node) > this.#graceMs(node) * graces) await this.#markSilent(node, graces, signal);
          await this.#noteReadiness(node, { allSilent, signal });
        } catch (error) {
          if (!signal.aborted) this.#noteFailure(node, error);
        }
      }),
    );
    if (!signal.aborted) await this.#syncTaints(all, { allSilent, signal });
    return this.#nextLookMs(all);
  }

  #silentMs(node: NodeView): number {
    return this.#heartbeats.silentMs(node.metadata?.name ?? '');
  }
  #leaseOf(node: NodeView): DeepReadonly<Lease> | undefined {
    return this.#leases().get({ namespace: leaseNamespace, name: node.metadata?.name ?? '' });
  }
  /** A node that has never said how it is may take longer; none is lost before its own Lease has run out. */
  #graceMs(node: NodeView): number {
    const { config } = this.#context;
    const leaseMs = (this.#leaseOf(node)?.spec?.leaseDurationSeconds ?? 0) * 1000;
    return Math.max(leaseMs, readinessOf(node) === undefined ? config.nodeStartupGracePeriodMs : config.nodeMonitorGracePeriodMs);
  }
  #nextLookMs(all: readonly NodeView[]): number {
    const remaining = all
      .filter((node) => readinessOf(node) !== 'Unknown')
      .map((node) => this.#graceMs(node) - this.#silentMs(node) + 1)
      .filter((ms) => ms > 0);
    return Math.min(this.#context.config.nodeMonitorPeriodMs, ...remaining);
  }

  #noteMembers(all: readonly NodeView[]): void {
    const present = new Map(all.map((node) => [node.metadata?.name ?? '', node]));
    for (const [name, node] of present) {
      const uid = node.metadata?.uid ?? '';
      const known = this.#known.get(name);
      if (known?.uid === uid) continue;
      if (known !== undefined) this.#heartbeats.forget(name);
      this.#known.set(name, { uid, ready: isNodeReady(node), podsMarked: !isNodeReady(node) });
      this.#nodeEvent(name, uid, 'RegisteredNode', `Registered Node ${name} in Controller`);
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
   * Whether the API works: who can't write must not blame a node for not having written. Asked only while a node seems silent.
   * A leader reads its lease, which takes the same majority as a write; its elector alone may write it. Others write theirs.
   */
  async #probe(signal: AbortSignal): Promise<boolean> {
    const { client, clock, config, log } = this.#context;
    const { elected, lease } = config.leaderElection;
    const spec = { holderIdentity: 'kube-controller-manager', leaseDurationSeconds: 15, renewTime: formatMicroTime(clock.now()) };
    try {
      try {
        const current = await client.get(leases, lease, { signal });
        if (!elected) await client.update(leases, { ...current, spec: { ...current.spec, ...spec } }, { signal });
      } catch (error) {
        if (elected || !hasReason(error, 'NotFound')) throw error;
        await client.create(leases, { metadata: { ...lease }, spec }, { signal });
      }
      return true;
    } catch (error) {
      if (!signal.aborted) log.warn({ err: error }, 'the API does not work: the silence of nodes does not count');
      return false;
    }
  }

  /** The cache may be what has gone deaf: before a node is blamed, its Lease and status are read from the API itself. */
  async #markSilent(cached: NodeView, graces: number, signal: AbortSignal): Promise<void> {
    const { client, clock, log } = this.#context;
    if (silentConditions(cached, clock.now()) === undefined) return;
    const name = cached.metadata?.name ?? '';
    const lease = await client.get<Lease>(leases, { namespace: leaseNamespace, name }, { signal }).catch((error: unknown) => {
      if (!hasReason(error, 'NotFound')) throw error;
      return undefined;
    });
    const node = await client.get(nodes, { name }, { signal });
    this.#heartbeats.observe(node, lease);
    if (this.#silentMs(node) <= this.#graceMs(node) * graces) return;
    const conditions = silentConditions(node, clock.now());
    if (conditions === undefined) return;
    log.warn({ node: name, silentMs: Math.round(this.#silentMs(node)) }, 'node has fallen silent');
    await client.patch(
      nodes,
      { name },
      {
        type: 'merge',
        subresource: 'status',
        body: { metadata: { resourceVersion: node.metadata?.resourceVersion }, status: { conditions } },
      },
      { signal },
    );
  }

  /**
   * Pods of a node that isn't ready stop being ready, which takes them out of Services. A kubelet that says itself that it isn't
   * ready is asked once (it may report its pods ready again); one that is silent can't object, so late ones are caught as well.
   */
  async #noteReadiness(node: NodeView, o: { allSilent: boolean; signal: AbortSignal }): Promise<void> {
    const name = node.metadata?.name ?? '';
    const known = this.#known.get(name);
    if (known === undefined) return;
    const readiness = readinessOf(node);
    const ready = readiness === 'True';
    if (known.ready && !ready)
      this.#context.events.event(
        { apiVersion: 'v1', kind: 'Node', metadata: { name, uid: known.uid } },
        'Normal',
        'NodeNotReady',
        `Node ${name} status is now: NodeNotReady`,
      );
    const podsMarked = !ready && known.podsMarked;
    this.#known.set(name, { ...known, ready, podsMarked });
    if (ready || readiness === undefined || o.allSilent || (podsMarked && readiness !== 'Unknown')) return;
    await takeOutOfService(this.#context, this.#context.informers.informer(pods).byIndex(podNodeIndex, name), o.signal);
    this.#known.set(name, { ...known, ready, podsMarked: true });
  }

  async #syncTaints(all: readonly NodeView[], o: { allSilent: boolean; signal: AbortSignal }): Promise<void> {
    const { client, clock, log } = this.#context;
    for (const change of this.#zones.update(all)) log.info(change, 'the state of a zone changed');
    const stopAll = o.allSilent || this.#zones.allDown;
    if (stopAll !== this.#allDown) {
      this.#allDown = stopAll;
      if (stopAll) log.error('no node is ready: all evictions stop');
      else {
        log.info('there are ready nodes again: evictions go on');
        this.#heartbeats.forgive();
      }
    }
    for (const node of all) {
      const now = formatTime(clock.now());
      let taints = computeTaints(node, { noExecute: stopAll ? 'none' : false, now });
      const wanted = wantedNoExecute(node);
      const lacks = wanted !== undefined && !(node.spec?.taints ?? []).some((t) => t.key === wanted && t.effect === 'NoExecute');
      // A node that only changes from one of the two to the other is not held up: its pods' time runs already.
      if (lacks && !stopAll && (hasHealthNoExecute(node) || this.#zones.take(node))) taints = computeTaints(node, { noExecute: true, now });
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
}
