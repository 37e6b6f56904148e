import { cidrMatcher } from './ip.ts';
import type { NodeView } from './state.ts';
import type { Protocol } from './types.ts';

/** Where node ports are opened: everywhere, at the node's own addresses, or at those within CIDRs. */
export type NodePortAddresses = 'all' | 'primary' | readonly string[];

/** The flag's words. Throws on what is neither `primary` alone nor CIDRs. */
export function nodePortAddresses(words: readonly string[]): NodePortAddresses {
  if (words.length === 0) return 'all';
  if (words.includes('primary')) {
    if (words.length > 1) throw new Error("--nodeport-addresses: 'primary' stands alone");
    return 'primary';
  }
  cidrMatcher(words);
  return words;
}

interface Context {
  readonly node: NodeView;
  readonly hostAddresses: readonly string[];
  readonly nodePortAddresses: NodePortAddresses;
}
const isOf = (family: 'IPv4' | 'IPv6') => (address: string) => address.includes(':') === (family === 'IPv6');

/** The host's addresses at which node ports answer; undefined when that is all of them. */
export function exactNodePortAddresses(family: 'IPv4' | 'IPv6', context: Context): readonly string[] | undefined {
  const chosen = context.nodePortAddresses;
  if (chosen === 'all') return undefined;
  if (chosen === 'primary') return context.node.internalAddresses.filter(isOf(family));
  return context.hostAddresses.filter(isOf(family)).filter(cidrMatcher(chosen));
}

/** TCP answers from the address that was asked anyway, and over either family; a UDP socket must be bound to its address. */
export function nodePortListeners(protocol: Protocol, family: 'IPv4' | 'IPv6', context: Context): readonly string[] {
  const exact = exactNodePortAddresses(family, context);
  if (exact !== undefined) return exact;
  if (protocol === 'TCP') return context.hostAddresses.some((a) => a.includes(':')) ? ['0.0.0.0', '::'] : ['0.0.0.0'];
  return context.hostAddresses.filter(isOf(family));
}
