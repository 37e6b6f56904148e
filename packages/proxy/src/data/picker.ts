import { endpointKey, type BackendGroup, type Endpoint } from '../table/types.ts';

export interface PickerDeps {
  readonly nowMs: () => number;
  /** 0 ≤ x < 1. */
  readonly random: () => number;
}

/** A client stays bound to at most this many groups' worth of memory: the longest idle ones are forgotten first. */
const affinityLimit = 20_000;
const suspectAfterRefusalMs = 500;
const suspectAfterSilenceMs = 5_000;
/** An endpoint that stays silent is tried less and less often: its host may be gone for good. */
const longestSuspicionMs = 40_000;

/**
 * Chooses endpoints for one group: at random, the client's last one under session affinity, never one that was tried for this
 * connection, and one that just failed or drains only when there is no other.
 */
export class Picker {
  #group: BackendGroup;
  readonly #deps: PickerDeps;
  readonly #affinity = new Map<string, { key: string; lastMs: number }>();
  readonly #suspects = new Map<string, { readonly untilMs: number; readonly silences: number }>();
  readonly #isDraining: (address: string) => boolean;

  constructor(group: BackendGroup, isDraining: (address: string) => boolean, deps: PickerDeps) {
    this.#group = group;
    this.#isDraining = isDraining;
    this.#deps = deps;
  }

  get group(): BackendGroup {
    return this.#group;
  }

  update(group: BackendGroup): void {
    this.#group = group;
    const keys = new Set(group.endpoints.map(endpointKey));
    for (const key of this.#suspects.keys()) if (!keys.has(key)) this.#suspects.delete(key);
    if (group.affinitySeconds === undefined) this.#affinity.clear();
  }

  /** `tried`: endpointKeys that have failed for this connection. undefined when none is left. */
  pick(client: string, tried: ReadonlySet<string>): Endpoint | undefined {
    const sticky = this.#sticky(client);
    if (sticky !== undefined && !tried.has(endpointKey(sticky)) && !this.#isAvoided(sticky)) return this.#remember(client, sticky);
    const { endpoints } = this.#group;
    // The common case needs no list: one throw that hits an endpoint in good standing.
    const first = endpoints[Math.floor(this.#deps.random() * endpoints.length)];
    if (first !== undefined && !tried.has(endpointKey(first)) && !this.#isAvoided(first)) return this.#remember(client, first);
    const left = endpoints.filter((e) => !tried.has(endpointKey(e)));
    const good = left.filter((e) => !this.#isAvoided(e));
    const from = good.length > 0 ? good : left;
    const chosen = from[Math.floor(this.#deps.random() * from.length)];
    return chosen === undefined ? undefined : this.#remember(client, chosen);
  }

  /** `silent`: no answer at all, which is worth avoiding for longer than a refusal by a process that starts or stops. */
  failed(endpoint: Endpoint, silent: boolean): void {
    const key = endpointKey(endpoint);
    const nowMs = this.#deps.nowMs();
    const known = this.#suspects.get(key);
    // Attempts that began together fail together: they are one silence.
    if (silent && known !== undefined && known.silences > 0 && known.untilMs > nowMs) return;
    const silences = silent ? (known?.silences ?? 0) + 1 : 0;
    const waitMs = silent ? Math.min(suspectAfterSilenceMs * 2 ** (silences - 1), longestSuspicionMs) : suspectAfterRefusalMs;
    this.#suspects.set(key, { untilMs: nowMs + waitMs, silences });
  }

  succeeded(endpoint: Endpoint): void {
    if (this.#suspects.size > 0) this.#suspects.delete(endpointKey(endpoint));
  }

  #isAvoided(endpoint: Endpoint): boolean {
    if (this.#isDraining(endpoint.address)) return true;
    if (this.#suspects.size === 0) return false;
    return (this.#suspects.get(endpointKey(endpoint))?.untilMs ?? 0) > this.#deps.nowMs();
  }

  #sticky(client: string): Endpoint | undefined {
    const seconds = this.#group.affinitySeconds;
    const bound = seconds === undefined ? undefined : this.#affinity.get(client);
    if (seconds === undefined || bound === undefined || this.#deps.nowMs() - bound.lastMs > seconds * 1000) return undefined;
    return this.#group.endpoints.find((e) => endpointKey(e) === bound.key);
  }

  #remember(client: string, endpoint: Endpoint): Endpoint {
    if (this.#group.affinitySeconds === undefined) return endpoint;
    this.#affinity.delete(client);
    this.#affinity.set(client, { key: endpointKey(endpoint), lastMs: this.#deps.nowMs() });
    if (this.#affinity.size > affinityLimit)
      for (const oldest of this.#affinity.keys()) {
        this.#affinity.delete(oldest);
        break;
      }
    return endpoint;
  }
}
