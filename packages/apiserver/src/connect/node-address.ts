import type { Node } from '@skiff/api';
import { badRequest, type DeepReadonly, internalError } from '@skiff/apimachinery';
import type { Route } from '../tunnel/dialer.ts';

export interface KubeletAddress {
  readonly host: string;
  readonly port: number;
}

const defaultKubeletPort = 10250;

/** The kubelet of a node, through the node's tunnel or directly. */
export const kubeletRoute = (node: string, address: KubeletAddress): Route => ({ node, target: { kubelet: {} }, ...address });

/** Where the kubelet of a node listens: the first address of a preferred type, and the port that its status names. */
export function kubeletAddress(node: DeepReadonly<Node>, preferredTypes: readonly string[]): KubeletAddress {
  const addresses = node.status?.addresses ?? [];
  for (const type of preferredTypes) {
    const found = addresses.find((a) => a.type === type && (a.address ?? '') !== '');
    if (found !== undefined)
      return { host: found.address, port: node.status?.daemonEndpoints?.kubeletEndpoint?.Port || defaultKubeletPort };
  }
  throw internalError(
    new Error(`no preferred addresses found; known addresses: [${addresses.map((a) => `{${a.type} ${a.address}}`).join(' ')}]`),
  );
}

/** Loopback, link-local, multicast and unspecified addresses: a proxy must never reach those (CVE-2020-8562, CVE-2022-3294). */
export function isGlobalUnicast(address: string): boolean {
  const ipv4 = /^(?:::ffff:)?(\d+)\.(\d+)\.\d+\.\d+$/i.exec(address);
  if (ipv4 !== null) {
    const [a, b] = [Number(ipv4[1]), Number(ipv4[2])];
    return a !== 0 && a !== 127 && a < 224 && !(a === 169 && b === 254);
  }
  const ipv6 = address.toLowerCase();
  return ipv6.includes(':') && ipv6 !== '::' && ipv6 !== '::1' && !/^fe[89ab]/.test(ipv6) && !ipv6.startsWith('ff');
}

export interface SchemeNamePort {
  readonly scheme: '' | 'http' | 'https';
  readonly name: string;
  readonly port: string;
}

/** `name`, `name:port` or `scheme:name:port`, as the proxy subresources spell their targets. Throws BadRequest. */
export function splitSchemeNamePort(id: string, what: string): SchemeNamePort {
  const parts = id.split(':');
  const bad = (): Error => badRequest(`invalid ${what} request ${JSON.stringify(id)}`);
  if (parts.length > 3) throw bad();
  const [scheme, name, port] = parts.length === 3 ? parts : ['', parts[0], parts[1] ?? ''];
  if (
    name === undefined ||
    name === '' ||
    (parts.length === 2 && port === '') ||
    (scheme !== '' && scheme !== 'http' && scheme !== 'https')
  )
    throw bad();
  return { scheme: scheme as SchemeNamePort['scheme'], name, port: port ?? '' };
}
