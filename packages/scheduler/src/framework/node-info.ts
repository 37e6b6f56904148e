import type { Node, Taint } from '@skiff/api';
import { quantityValue, type DeepReadonly } from '@skiff/apimachinery';
import { labelsOf, type Labels } from './label-selector.ts';
import type { HostPort, PodInfo } from './pod-info.ts';
import { addResources, copyResources, noResources, parseResources, type Resources } from './resources.ts';

export type NodeView = DeepReadonly<Node>;

const anyAddress = '0.0.0.0';

/** Host ports in use. An address of 0.0.0.0 collides with every address. */
export class HostPorts {
  /** `TCP/80` → address → how many pods. */
  readonly #used = new Map<string, Map<string, number>>();

  add({ hostIP, protocol, port }: HostPort): void {
    const key = `${protocol}/${port}`;
    const addresses = this.#used.get(key) ?? new Map<string, number>();
    addresses.set(hostIP, (addresses.get(hostIP) ?? 0) + 1);
    this.#used.set(key, addresses);
  }

  remove({ hostIP, protocol, port }: HostPort): void {
    const addresses = this.#used.get(`${protocol}/${port}`);
    const count = addresses?.get(hostIP) ?? 0;
    if (count > 1) addresses?.set(hostIP, count - 1);
    else addresses?.delete(hostIP);
    if (addresses?.size === 0) this.#used.delete(`${protocol}/${port}`);
  }

  conflicts({ hostIP, protocol, port }: HostPort): boolean {
    const addresses = this.#used.get(`${protocol}/${port}`);
    if (addresses === undefined) return false;
    return hostIP === anyAddress || addresses.has(hostIP) || addresses.has(anyAddress);
  }
}

/** A node with the pods on it and their sums, kept as they come and go. `node` is absent while only its pods are known. */
export class NodeInfo {
  readonly name: string;
  node: NodeView | undefined;
  labels: Labels = {};
  /** Taints that keep pods away: NoSchedule and NoExecute. */
  taints: readonly DeepReadonly<Taint>[] = [];
  preferNoScheduleTaints: readonly DeepReadonly<Taint>[] = [];
  allocatable: Readonly<Resources> = noResources();
  allowedPods = 0;
  /** Image name → bytes. */
  images: ReadonlyMap<string, number> = new Map();
  readonly pods = new Map<string, PodInfo>();
  readonly podsWithAffinity = new Set<PodInfo>();
  readonly podsWithRequiredAntiAffinity = new Set<PodInfo>();
  readonly requested: Resources = noResources();
  readonly scoringRequested = { milliCpu: 0, memory: 0 };
  readonly ports = new HostPorts();

  constructor(name: string) {
    this.name = name;
  }

  setNode(node: NodeView): void {
    this.node = node;
    this.labels = labelsOf(node);
    const taints = node.spec?.taints ?? [];
    this.taints = taints.filter((t) => t.effect === 'NoSchedule' || t.effect === 'NoExecute');
    this.preferNoScheduleTaints = taints.filter((t) => t.effect === 'PreferNoSchedule');
    this.allocatable = parseResources(node.status?.allocatable);
    const pods = node.status?.allocatable?.['pods'];
    this.allowedPods = pods === undefined ? 0 : quantityValue(pods);
    this.images = new Map(
      (node.status?.images ?? []).flatMap((image) => (image.names ?? []).map((name) => [name, image.sizeBytes ?? 0] as const)),
    );
  }

  addPod(pod: PodInfo): void {
    this.pods.set(pod.uid, pod);
    if (hasAffinity(pod)) this.podsWithAffinity.add(pod);
    if (pod.requiredAntiAffinity.length > 0) this.podsWithRequiredAntiAffinity.add(pod);
    this.#count(pod, 1);
    for (const port of pod.hostPorts) this.ports.add(port);
  }

  removePod(uid: string): void {
    const pod = this.pods.get(uid);
    if (pod === undefined) return;
    this.pods.delete(uid);
    this.podsWithAffinity.delete(pod);
    this.podsWithRequiredAntiAffinity.delete(pod);
    this.#count(pod, -1);
    for (const port of pod.hostPorts) this.ports.remove(port);
  }

  /** For trying out what would be if pods came or went. */
  clone(): NodeInfo {
    const copy = new NodeInfo(this.name);
    copy.node = this.node;
    copy.labels = this.labels;
    copy.taints = this.taints;
    copy.preferNoScheduleTaints = this.preferNoScheduleTaints;
    copy.allocatable = copyResources(this.allocatable);
    copy.allowedPods = this.allowedPods;
    copy.images = this.images;
    for (const pod of this.pods.values()) copy.addPod(pod);
    return copy;
  }

  #count(pod: PodInfo, sign: 1 | -1): void {
    addResources(this.requested, pod.requests, sign);
    this.scoringRequested.milliCpu += sign * pod.scoringRequests.milliCpu;
    this.scoringRequested.memory += sign * pod.scoringRequests.memory;
  }
}

const hasAffinity = (pod: PodInfo): boolean =>
  pod.requiredAffinity.length + pod.requiredAntiAffinity.length + pod.preferredAffinity.length + pod.preferredAntiAffinity.length > 0;
