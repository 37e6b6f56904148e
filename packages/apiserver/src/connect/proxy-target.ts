import { endpoints, node, pod, service, type Endpoints, type Node, type Pod, type Service } from '@skiff/api';
import { badRequest, type DeepReadonly, notFound, serviceUnavailable } from '@skiff/apimachinery';
import type { ObjectAccess } from '../contract.ts';
import type { KubeletClient } from './kubelet-client.ts';
import type { Route } from '../tunnel/dialer.ts';
import { isGlobalUnicast, kubeletRoute, splitSchemeNamePort } from './node-address.ts';

export interface ProxyTarget {
  readonly scheme: 'http' | 'https';
  readonly route: Route;
  /** Reached with the apiserver's kubelet certificate. */
  readonly kubelet: boolean;
}

const defaultPort = { http: 80, https: 443 } as const;

function portNumber(text: string, what: string, id: string): number {
  const port = Number(text);
  if (!/^\d+$/.test(text) || port < 1 || port > 65535) throw badRequest(`invalid ${what} request ${JSON.stringify(id)}`);
  return port;
}

/** A port of a pod, through the tunnel of the pod's node or directly. */
function podRoute(target: DeepReadonly<Pod>, host: string, port: number): Route {
  const node = target.spec?.nodeName ?? '';
  return { ...(node === '' ? {} : { node, target: { pod: { host, port } } }), host, port };
}

/** A pod by its own address; without a port the first that it declares. */
export async function podTarget(objects: ObjectAccess, namespace: string, id: string): Promise<ProxyTarget> {
  const { scheme, name, port } = splitSchemeNamePort(id, 'pod');
  const found = objects.get<Pod>(pod, namespace, name) ?? (await objects.read<Pod>(pod, namespace, name));
  if (found === undefined) throw notFound({ group: '', resource: 'pods' }, name);
  const declared = (found.spec?.containers ?? []).find((c) => (c.ports ?? []).length > 0)?.ports?.[0]?.containerPort;
  const address = found.status?.podIPs?.[0]?.ip ?? found.status?.podIP ?? '';
  if (!isGlobalUnicast(address)) throw badRequest('address not allowed');
  const used = scheme === '' ? 'http' : scheme;
  const chosen = port !== '' ? portNumber(port, 'pod', id) : (declared ?? defaultPort[used]);
  return { scheme: used, route: podRoute(found, address, chosen), kubelet: false };
}

/** One of the ready pods behind a Service, for the port that is named or numbered. */
export async function serviceTarget(objects: ObjectAccess, namespace: string, id: string): Promise<ProxyTarget> {
  const { scheme, name, port } = splitSchemeNamePort(id, 'service');
  let portName = port;
  const found = objects.get<Service>(service, namespace, name) ?? (await objects.read<Service>(service, namespace, name));
  if (found === undefined) throw notFound({ group: '', resource: 'services' }, name);
  if (/^\d+$/.test(port)) {
    const declared = (found.spec?.ports ?? []).find((p) => p.port === Number(port));
    if (declared === undefined) throw serviceUnavailable(`no service port ${port} found for service ${JSON.stringify(name)}`);
    portName = declared.name ?? '';
  }
  const behind = objects.get<Endpoints>(endpoints, namespace, name) ?? (await objects.read<Endpoints>(endpoints, namespace, name));
  if (behind === undefined) throw notFound({ group: '', resource: 'endpoints' }, name);
  if ((behind.subsets ?? []).length === 0) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(name)}`);
  const candidates: Route[] = [];
  for (const subset of behind.subsets ?? []) {
    const match = (subset.ports ?? []).find((p) => (p.name ?? '') === portName);
    if (match === undefined) continue;
    for (const a of subset.addresses ?? []) {
      // Only addresses that are those of their pods: whoever can write Endpoints must not be able to aim the apiserver.
      if (a.targetRef?.kind !== 'Pod' || a.targetRef.namespace !== namespace) continue;
      const target = objects.get<Pod>(pod, namespace, a.targetRef.name ?? '');
      const own = target?.status?.podIPs?.map((p) => p.ip) ?? [target?.status?.podIP];
      if (target !== undefined && own.includes(a.ip) && isGlobalUnicast(a.ip)) candidates.push(podRoute(target, a.ip, match.port));
    }
  }
  const chosen = candidates[Math.floor(Math.random() * candidates.length)];
  if (chosen === undefined) throw serviceUnavailable(`no endpoints available for service ${JSON.stringify(id)}`);
  return { scheme: scheme === '' ? 'http' : scheme, route: chosen, kubelet: false };
}

/** The kubelet of a node, or another port of the node. */
export function nodeTarget(objects: ObjectAccess, kubelets: KubeletClient, id: string): ProxyTarget {
  const { scheme, name, port } = splitSchemeNamePort(id, 'node');
  const found = objects.get<Node>(node, '', name);
  if (found === undefined) throw notFound({ group: '', resource: 'nodes' }, name);
  const address = kubelets.addressOf(found);
  if (!isGlobalUnicast(address.host)) throw badRequest('address not allowed');
  if (port === '' || port === String(address.port)) return { scheme: 'https', route: kubeletRoute(name, address), kubelet: true };
  // What else listens on a node is not reached through its tunnel.
  return { scheme: scheme === '' ? 'http' : scheme, route: { host: address.host, port: portNumber(port, 'node', id) }, kubelet: false };
}
