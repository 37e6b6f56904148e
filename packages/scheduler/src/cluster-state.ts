import type { ClusterSnapshot } from './framework/snapshot.ts';
import type { Labels } from './framework/label-selector.ts';
import { NodeInfo, type NodeView } from './framework/node-info.ts';
import type { PodInfo } from './framework/pod-info.ts';

interface PlacedPod {
  readonly info: PodInfo;
  readonly nodeName: string;
  /** We decided so; the apiserver has not told us yet. */
  readonly isAssumed: boolean;
}

const none: readonly PodInfo[] = [];

/** Nodes and the pods on them, as informers tell and as we have decided. It is also the snapshot of each cycle. */
export class ClusterState implements ClusterSnapshot {
  readonly #nodes = new Map<string, NodeInfo>();
  #ordered: readonly NodeInfo[] | undefined;
  readonly #pods = new Map<string, PlacedPod>();
  readonly #imageNodes = new Map<string, number>();
  readonly #nominated = new Map<string, { readonly info: PodInfo; readonly nodeName: string }>();
  readonly #nominatedByNode = new Map<string, readonly PodInfo[]>();
  readonly #labelsOfNamespace: (namespace: string) => Labels;

  constructor(labelsOfNamespace: (namespace: string) => Labels) {
    this.#labelsOfNamespace = labelsOfNamespace;
  }

  get nodes(): readonly NodeInfo[] {
    this.#ordered ??= inTurns([...this.#nodes.values()].filter((n) => n.node !== undefined));
    return this.#ordered;
  }

  node(name: string): NodeInfo | undefined {
    return this.#nodes.get(name);
  }

  nodesWithImage(name: string): number {
    return this.#imageNodes.get(name) ?? 0;
  }

  namespaceLabels(namespace: string): Labels {
    return this.#labelsOfNamespace(namespace);
  }

  nominatedPods(nodeName: string): readonly PodInfo[] {
    return this.#nominatedByNode.get(nodeName) ?? none;
  }

  setNode(node: NodeView): void {
    const info = this.#nodeInfo(node.metadata?.name ?? '');
    const isOrderKept = info.node !== undefined && zoneOf(info) === zoneOf({ labels: node.metadata?.labels ?? {} });
    this.#countImages(info, -1);
    info.setNode(node);
    this.#countImages(info, 1);
    if (!isOrderKept) this.#ordered = undefined;
  }

  deleteNode(name: string): void {
    const info = this.#nodes.get(name);
    if (info === undefined) return;
    this.#countImages(info, -1);
    info.node = undefined;
    info.images = new Map();
    this.#ordered = undefined;
    this.#dropIfEmpty(info);
  }

  /** A pod is on a node, says the apiserver. Confirms an assumption, or corrects it. */
  setPod(info: PodInfo, nodeName: string): void {
    this.#place({ info, nodeName, isAssumed: false });
  }

  /** From now on it counts there. Undone by `forgetPod`, made true by `setPod`. */
  assumePod(info: PodInfo, nodeName: string): void {
    this.#place({ info, nodeName, isAssumed: true });
  }

  isAssumed(uid: string): boolean {
    return this.#pods.get(uid)?.isAssumed ?? false;
  }

  /** Takes an assumption back. What the apiserver told stays. */
  forgetPod(uid: string): void {
    if (this.isAssumed(uid)) this.deletePod(uid);
  }

  deletePod(uid: string): void {
    const placed = this.#pods.get(uid);
    if (placed === undefined) return;
    this.#pods.delete(uid);
    const node = this.#nodeInfo(placed.nodeName);
    node.removePod(uid);
    this.#dropIfEmpty(node);
  }

  /** Promises a node to a pod, or takes the promise back (undefined or empty). */
  nominate(info: PodInfo, nodeName: string | undefined): void {
    const known = this.#nominated.get(info.uid);
    if (known !== undefined) {
      this.#nominated.delete(info.uid);
      this.#nominatedByNode.set(
        known.nodeName,
        this.nominatedPods(known.nodeName).filter((p) => p.uid !== info.uid),
      );
    }
    if (!nodeName) return;
    this.#nominated.set(info.uid, { info, nodeName });
    this.#nominatedByNode.set(nodeName, [...this.nominatedPods(nodeName), info]);
  }

  #place(placed: PlacedPod): void {
    this.deletePod(placed.info.uid);
    this.#pods.set(placed.info.uid, placed);
    this.#nodeInfo(placed.nodeName).addPod(placed.info);
  }

  #nodeInfo(name: string): NodeInfo {
    let info = this.#nodes.get(name);
    if (info === undefined) {
      info = new NodeInfo(name);
      this.#nodes.set(name, info);
    }
    return info;
  }

  #dropIfEmpty(info: NodeInfo): void {
    if (info.node === undefined && info.pods.size === 0) this.#nodes.delete(info.name);
  }

  #countImages(info: NodeInfo, sign: 1 | -1): void {
    for (const name of info.images.keys()) {
      const count = this.nodesWithImage(name) + sign;
      if (count === 0) this.#imageNodes.delete(name);
      else this.#imageNodes.set(name, count);
    }
  }
}

const zoneOf = ({ labels }: { readonly labels: Labels }): string =>
  `${labels['topology.kubernetes.io/region'] ?? ''}:${labels['topology.kubernetes.io/zone'] ?? ''}`;

/** One node of each zone, then the next of each: whoever looks at a part of the nodes has looked at all zones. */
function inTurns(nodes: readonly NodeInfo[]): NodeInfo[] {
  const zones = new Map<string, NodeInfo[]>();
  for (const node of nodes) {
    const zone = zones.get(zoneOf(node));
    if (zone === undefined) zones.set(zoneOf(node), [node]);
    else zone.push(node);
  }
  if (zones.size < 2) return [...nodes];
  const ordered: NodeInfo[] = [];
  for (let turn = 0; ordered.length < nodes.length; turn++) {
    for (const zone of zones.values()) {
      const node = zone[turn];
      if (node !== undefined) ordered.push(node);
    }
  }
  return ordered;
}
