import type { Clock, Logger } from '@skiff/component-base';
import { applyDelta, diffTables } from '../table/diff.ts';
import { cidrMatcher, shadowMapper } from '../table/ip.ts';
import { emptyTable, type DataTable, type Endpoint, type Frontend, type TableDelta, type TableSettings } from '../table/types.ts';
import { DescriptorBudget } from './budget.ts';
import { createDnsRelay, type DnsRelay } from './dns-relay.ts';
import { OpenByAddress, ServedGroup } from './group.ts';
import type { HostPorts, RawHandle } from './host-ports.ts';
import type { DataStats, FrontendProblem } from './protocol.ts';
import { createReadBuffers } from './read-buffers.ts';
import { openTcpFrontend, type FrontendTarget, type OpenFrontend } from './tcp-frontend.ts';
import { openUdpFrontend, type UdpDeps } from './udp-frontend.ts';

export interface DataPlaneDeps {
  readonly clock: Clock;
  readonly log: Logger;
  readonly hostPorts: HostPorts;
  readonly random: () => number;
  readonly descriptorLimit: number;
}

interface Listening {
  readonly frontend: Frontend;
  /** Settles when the socket is open; undefined when that failed. */
  readonly opening: Promise<OpenFrontend | undefined>;
  open: OpenFrontend | undefined;
  readonly target: FrontendTarget;
  problem: string | undefined;
  closed: boolean;
}

/** What can't be opened is tried again after this long, then less and less often until something changes. */
const reopenMs = 1_000;
const longestReopenMs = 30_000;
/** A drained address is chosen again after this long if it still stands in the table; at once after it had left it. */
const drainHoldMs = 60_000;

/** Chooses the source of a connection: the client pod's shadow, except towards itself and towards what is no pod. */
export function sourceChooser(settings: TableSettings): (client: string, endpoint: Endpoint) => string | undefined {
  const isLocalPod = cidrMatcher(settings.localPodCidrs);
  const isPod = cidrMatcher([settings.clusterCidr]);
  const shadow = shadowMapper(settings.clusterCidr, settings.shadowCidr);
  return (client, endpoint) =>
    client === endpoint.address || !isLocalPod(client) || !isPod(endpoint.address) ? undefined : shadow(client);
}

/** A port of the host that is bound and refuses connections. */
const holdClosed = (bound: RawHandle, target: FrontendTarget): OpenFrontend => ({
  target,
  handle: () => bound,
  close: () => bound.close(),
  onGroupChanged: () => undefined,
});

/** Serves a table: opens and closes listeners, carries connections. One for each proxy-data process. */
export class DataPlane {
  #table: DataTable;
  readonly #deps: DataPlaneDeps;
  readonly #groups = new Map<string, ServedGroup>();
  readonly #listening = new Map<string, Listening>();
  readonly #draining = new Map<string, number>();
  readonly #relays = new Map<string, DnsRelay>();
  readonly #budget: DescriptorBudget;
  readonly #open = new OpenByAddress();
  readonly #connectionDeps: UdpDeps;
  #sourceFor: (client: string, endpoint: Endpoint) => string | undefined = () => undefined;
  #reopen: Disposable | undefined;
  #reopenMs = reopenMs;
  #stopped = false;

  constructor(settings: TableSettings, deps: DataPlaneDeps) {
    this.#deps = deps;
    this.#table = emptyTable(settings);
    this.#sourceFor = sourceChooser(settings);
    this.#budget = new DescriptorBudget(deps.descriptorLimit);
    this.#connectionDeps = {
      budget: this.#budget,
      open: this.#open,
      buffers: createReadBuffers(),
      sourceFor: (client, endpoint) => this.#sourceFor(client, endpoint),
      relay: (path) => {
        const relay = this.#relays.get(path) ?? createDnsRelay(path);
        this.#relays.set(path, relay);
        return relay;
      },
    };
  }

  get table(): DataTable {
    return this.#table;
  }
  get openConnections(): number {
    return this.#budget.connections;
  }

  /** Makes `table` the one in force; only what differs is touched. Resolves when all sockets are open or have failed to. */
  replace(table: DataTable, handles: ReadonlyMap<string, RawHandle> = new Map()): Promise<readonly FrontendProblem[]> {
    const delta = diffTables(this.#table, table);
    return delta === undefined ? this.#problems() : this.apply(delta, handles);
  }

  apply(delta: TableDelta, handles: ReadonlyMap<string, RawHandle> = new Map()): Promise<readonly FrontendProblem[]> {
    this.#table = applyDelta(this.#table, delta);
    this.#reopenMs = reopenMs;
    if (delta.settings !== undefined) this.#sourceFor = sourceChooser(delta.settings);
    for (const [key, group] of Object.entries(delta.groups)) {
      if (group === null) continue;
      const served = this.#groups.get(key);
      if (served === undefined) this.#groups.set(key, this.#newGroup(key));
      else served.picker.update(group);
    }
    for (const [key, frontend] of Object.entries(delta.frontends)) {
      if (frontend === null) this.#close(key);
      else this.#put(key, frontend, handles.get(key));
    }
    for (const [key, group] of Object.entries(delta.groups)) if (group === null) this.#groups.delete(key);
    const changed = new Set(Object.keys(delta.groups));
    for (const l of this.#listening.values()) if (changed.has(l.frontend.group)) l.open?.onGroupChanged();
    this.#forgetDrained();
    return this.#problems();
  }

  /** See DataRequest `drain`. Resolves with the connections still open. */
  drain(address: string, timeoutMs: number): Promise<number> {
    this.#draining.set(address, this.#deps.clock.monotonicMs() + drainHoldMs);
    return this.#open.drained(address, timeoutMs);
  }

  stats(): DataStats {
    return {
      listeners: this.#budget.listeners,
      openConnections: this.#budget.connections,
      udpSessions: this.#budget.sessions,
      shed: this.#budget.shed,
      descriptorLimit: this.#budget.limit,
      groups: Object.fromEntries([...this.#groups].map(([key, g]) => [key, g.stats()])),
    };
  }

  /** The bound sockets, by frontend. They go on being served until `stopListening`. */
  async handles(): Promise<ReadonlyMap<string, RawHandle>> {
    const result = new Map<string, RawHandle>();
    for (const [key, l] of this.#listening) {
      const handle = (await l.opening)?.handle();
      if (handle !== undefined && !l.closed) result.set(key, handle);
    }
    return result;
  }

  /** No new connections; those that are open go on. */
  stopListening(): void {
    this.#stopped = true;
    this.#reopen?.[Symbol.dispose]();
    for (const key of this.#listening.keys()) this.#close(key);
    for (const relay of this.#relays.values()) relay.close();
  }

  #newGroup(key: string): ServedGroup {
    const group = this.#table.groups[key] ?? { endpoints: [] };
    const { clock, random } = this.#deps;
    return new ServedGroup(group, (address) => this.#isDraining(address), { nowMs: () => clock.monotonicMs(), random });
  }

  /** A drain is over when the endpoint is gone: the next pod with that address is another one. */
  #forgetDrained(): void {
    if (this.#draining.size === 0) return;
    const inTable = new Set(Object.values(this.#table.groups).flatMap((g) => g.endpoints.map((e) => e.address)));
    for (const address of this.#draining.keys()) if (!inTable.has(address) || !this.#isDraining(address)) this.#draining.delete(address);
  }

  #isDraining(address: string): boolean {
    if (this.#draining.size === 0) return false;
    const untilMs = this.#draining.get(address);
    if (untilMs === undefined) return false;
    if (untilMs > this.#deps.clock.monotonicMs()) return true;
    this.#draining.delete(address);
    return false;
  }

  #put(key: string, frontend: Frontend, handle: RawHandle | undefined): void {
    const group = this.#groups.get(frontend.group) ?? this.#newGroup(frontend.group);
    if (frontend.isClosed !== true) this.#groups.set(frontend.group, group);
    const admits = frontend.sourceRanges === undefined ? undefined : cidrMatcher(frontend.sourceRanges);
    const old = this.#listening.get(key);
    if (old !== undefined && old.frontend.isClosed !== frontend.isClosed) {
      // What was only bound is listened on; a listener can't be turned back, so that another socket takes its place.
      const isOpened = old.frontend.isClosed === true;
      if (!isOpened) this.#close(key);
      const bound = old.opening.then((open) => (isOpened ? open?.handle() : undefined));
      this.#start(key, frontend, { group, admits }, bound);
      return;
    }
    if (old !== undefined) {
      const regrouped = old.target.group !== group;
      Object.assign(old.target, { group, admits });
      this.#listening.set(key, Object.assign(old, { frontend }));
      if (regrouped) old.open?.onGroupChanged();
      return;
    }
    this.#start(key, frontend, { group, admits }, handle);
  }

  #start(key: string, frontend: Frontend, target: FrontendTarget, handle: RawHandle | Promise<RawHandle | undefined> | undefined): void {
    const listening: Listening = {
      frontend,
      target,
      open: undefined,
      problem: undefined,
      closed: false,
      opening: Promise.resolve(undefined),
    };
    const opening = this.#openSocket(frontend, target, handle).then(
      (open) => {
        listening.open = open;
        listening.problem = undefined;
        if (listening.closed) open.close();
        return open;
      },
      (error: NodeJS.ErrnoException) => {
        listening.problem = error.message;
        this.#scheduleReopen();
        return undefined;
      },
    );
    this.#listening.set(key, Object.assign(listening, { opening }));
  }

  async #openSocket(
    frontend: Frontend,
    target: FrontendTarget,
    handle: RawHandle | Promise<RawHandle | undefined> | undefined,
  ): Promise<OpenFrontend> {
    const { place, protocol, address, port } = frontend;
    const bound = (await handle) ?? (place === 'host' ? await this.#deps.hostPorts.bind(protocol, address, port) : undefined);
    if (frontend.isClosed === true && bound !== undefined) return holdClosed(bound, target);
    const where = bound ?? { address, port };
    return protocol === 'TCP' ? openTcpFrontend(where, target, this.#connectionDeps) : openUdpFrontend(where, target, this.#connectionDeps);
  }

  #close(key: string): void {
    const l = this.#listening.get(key);
    if (l === undefined) return;
    this.#listening.delete(key);
    l.closed = true;
    l.open?.close();
  }

  #scheduleReopen(): void {
    if (this.#reopen !== undefined || this.#stopped) return;
    this.#reopen = this.#deps.clock.after(this.#reopenMs, () => {
      this.#reopen = undefined;
      this.#reopenMs = Math.min(this.#reopenMs * 2, longestReopenMs);
      for (const [key, l] of this.#listening) if (l.problem !== undefined) this.#start(key, l.frontend, l.target, undefined);
    });
  }

  async #problems(): Promise<readonly FrontendProblem[]> {
    const all = [...this.#listening];
    await Promise.all(all.map(([, l]) => l.opening));
    return all.flatMap(([key, l]) => (l.problem === undefined ? [] : [{ key, message: l.problem }]));
  }
}
