import type { Container, Node, Pod, PodSpec, Taint } from '@skiff/api';
import type { ObjectMeta } from '@skiff/apimachinery';
import { createPodInfo, type PodInfo } from './pod-info.ts';
import { ClusterState } from '../cluster-state.ts';

/** Objects for tests, with only what a test speaks of. Not part of the product. */

let uids = 0;

export const container = (requests?: Record<string, string>, more: Partial<Container> = {}): Container => ({
  name: 'c',
  image: 'image',
  ...(requests && { resources: { requests } }),
  ...more,
});

export interface PodParts {
  readonly name?: string;
  readonly namespace?: string;
  readonly requests?: Record<string, string>;
  readonly labels?: Record<string, string>;
  readonly metadata?: ObjectMeta;
  readonly spec?: Partial<PodSpec>;
  readonly status?: Pod['status'];
}

export function pod({ name, namespace = 'default', requests, labels, metadata, spec, status }: PodParts = {}): Pod {
  const uid = `uid-${++uids}`;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: name ?? uid, namespace, uid, ...(labels && { labels }), ...metadata },
    spec: { containers: [container(requests)], ...spec },
    ...(status && { status }),
  };
}

export const podInfo = (parts: PodParts = {}): PodInfo => createPodInfo(pod(parts));

export interface NodeParts {
  readonly labels?: Record<string, string>;
  readonly taints?: readonly Taint[];
  readonly unschedulable?: boolean;
  readonly allocatable?: Record<string, string>;
  readonly images?: Record<string, number>;
}

export const node = (name: string, { labels, taints, unschedulable, allocatable, images }: NodeParts = {}): Node => ({
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name, labels: { 'kubernetes.io/hostname': name, ...labels } },
  spec: { ...(taints && { taints: [...taints] }), ...(unschedulable && { unschedulable }) },
  status: {
    allocatable: allocatable ?? { cpu: '4', memory: '8Gi', pods: '10' },
    ...(images && { images: Object.entries(images).map(([image, sizeBytes]) => ({ names: [image], sizeBytes })) }),
  },
});

/** A cluster of these nodes, with these pods on them. */
export function cluster(
  nodes: readonly Node[],
  pods: Readonly<Record<string, readonly PodInfo[]>> = {},
  namespaces: Readonly<Record<string, Record<string, string>>> = {},
): ClusterState {
  const state = new ClusterState((name) => namespaces[name] ?? {});
  for (const n of nodes) state.setNode(n);
  for (const [nodeName, list] of Object.entries(pods)) for (const p of list) state.setPod(p, nodeName);
  return state;
}
