import type { ResourceStatus } from '@skiff/api';
import type { DeviceGrant } from './plugin-messages.ts';

/** Devices of one resource that a container has, and what came with them. */
export interface Allocation {
  readonly podUid: string;
  readonly container: string;
  readonly resource: string;
  readonly ids: readonly string[];
  /** undefined: chosen, but the plugin has not been asked for them yet. */
  readonly grant?: DeviceGrant;
}

interface Known {
  /** By ID: whether it is healthy. */
  readonly devices: ReadonlyMap<string, boolean>;
}

/** Which devices there are and who has them. Pure state; nothing here talks to plugins. */
export class DeviceStore {
  readonly #resources = new Map<string, Known>();
  #allocations: readonly Allocation[];
  constructor(allocations: readonly Allocation[] = []) {
    this.#allocations = allocations;
  }
  get allocations(): readonly Allocation[] {
    return this.#allocations;
  }
  get resources(): readonly string[] {
    return [...this.#resources.keys()];
  }
  setDevices(resource: string, devices: ReadonlyMap<string, boolean>): void {
    this.#resources.set(resource, { devices });
  }
  /** The plugin is gone: its devices are there, but can't be had. */
  markUnhealthy(resource: string): void {
    const known = this.#resources.get(resource);
    if (known !== undefined) this.setDevices(resource, new Map([...known.devices.keys()].map((id) => [id, false])));
  }
  remove(resource: string): void {
    this.#resources.delete(resource);
  }
  has(resource: string): boolean {
    return this.#resources.has(resource);
  }
  counts(): ReadonlyMap<string, { readonly capacity: number; readonly allocatable: number }> {
    return new Map(
      [...this.#resources].map(([name, { devices }]) => [
        name,
        { capacity: devices.size, allocatable: [...devices.values()].filter((healthy) => healthy).length },
      ]),
    );
  }
  /** Pods that have a device which is not as it was. */
  usersOfChanged(resource: string, before: ReadonlyMap<string, boolean>): readonly string[] {
    const now = this.#resources.get(resource)?.devices;
    const changed = (id: string): boolean => before.get(id) !== now?.get(id);
    return [...new Set(this.#allocations.filter((a) => a.resource === resource && a.ids.some(changed)).map((a) => a.podUid))];
  }
  devicesOf(resource: string): ReadonlyMap<string, boolean> {
    return this.#resources.get(resource)?.devices ?? new Map();
  }
  /** What the API tells of a container's devices (KEP-4680). One that its plugin has never told of counts as healthy. */
  health(podUid: string, container: string): ResourceStatus[] {
    return this.of(podUid, container).map((a) => ({
      name: a.resource,
      resources: a.ids.map((resourceID) => ({
        resourceID,
        health: this.devicesOf(a.resource).get(resourceID) === false ? 'Unhealthy' : 'Healthy',
      })),
    }));
  }
  /** Healthy devices that nobody has. */
  free(resource: string): readonly string[] {
    const taken = new Set(this.#allocations.filter((a) => a.resource === resource).flatMap((a) => a.ids));
    return [...(this.#resources.get(resource)?.devices ?? [])].filter(([id, healthy]) => healthy && !taken.has(id)).map(([id]) => id);
  }
  of(podUid: string, container?: string): readonly Allocation[] {
    return this.#allocations.filter((a) => a.podUid === podUid && (container === undefined || a.container === container));
  }
  put(next: Allocation): void {
    const same = (a: Allocation): boolean => a.podUid === next.podUid && a.container === next.container && a.resource === next.resource;
    this.#allocations = [...this.#allocations.filter((a) => !same(a)), next];
  }
  /** Returns whether anything was kept for it. */
  release(podUid: string): boolean {
    const before = this.#allocations.length;
    this.#allocations = this.#allocations.filter((a) => a.podUid !== podUid);
    return this.#allocations.length !== before;
  }
}
