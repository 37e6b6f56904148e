import {
  type DeepReadonly,
  FieldErrors,
  isValidPortName,
  isValidPortNum,
  parseCIDR,
  validateLabelSelector,
  validateLegacyCIDR,
  warningsForCIDR,
} from '@skiff/apimachinery';
import type { IPBlock, NetworkPolicy, NetworkPolicyPeer, NetworkPolicyPort } from '../../generated/types/networking-v1.ts';
import { invalidEach } from '../../validation.ts';

type Policy = DeepReadonly<NetworkPolicy>;
type Peer = DeepReadonly<NetworkPolicyPeer>;

interface Options {
  /** CIDRs of the stored policy. */
  readonly stored: readonly string[];
  readonly allowInvalidLabelValueInSelector: boolean;
}

interface PeerAt {
  readonly peer: Peer;
  readonly path: string;
}

function peersOf(policy: Policy): PeerAt[] {
  const of = (peers: readonly Peer[] | undefined, path: string): PeerAt[] =>
    (peers ?? []).map((peer, i) => ({ peer, path: `${path}[${i}]` }));
  return [
    ...(policy.spec?.ingress ?? []).flatMap((rule, i) => of(rule.from, `spec.ingress[${i}].from`)),
    ...(policy.spec?.egress ?? []).flatMap((rule, i) => of(rule.to, `spec.egress[${i}].to`)),
  ];
}

function optionsOf(old: Policy | undefined): Options {
  const found = new FieldErrors();
  validateLabelSelector(old?.spec?.podSelector, '', found);
  const blocks = old === undefined ? [] : peersOf(old).flatMap(({ peer }) => (peer.ipBlock ? [peer.ipBlock] : []));
  return { stored: blocks.flatMap((b) => [b.cidr, ...(b.except ?? [])]), allowInvalidLabelValueInSelector: !found.empty };
}

function validatePort(port: DeepReadonly<NetworkPolicyPort>, path: string, errors: FieldErrors): void {
  const protocols = ['TCP', 'UDP', 'SCTP'];
  const { protocol, port: number, endPort: end } = port;
  if (protocol !== undefined && !protocols.includes(protocol)) errors.notSupported(`${path}.protocol`, protocol, protocols);
  if (typeof number === 'number') {
    invalidEach(errors, `${path}.port`, number, isValidPortNum(number));
    if (end === undefined) return;
    if (end < number) errors.invalid(`${path}.endPort`, number, 'must be greater than or equal to `port`');
    invalidEach(errors, `${path}.endPort`, end, isValidPortNum(end));
    return;
  }
  if (end !== undefined) {
    errors.invalid(
      `${path}.endPort`,
      end,
      `may not be specified when \`port\` is ${number === undefined ? 'not specified' : 'non-numeric'}`,
    );
  }
  if (number !== undefined) invalidEach(errors, `${path}.port`, number, isValidPortName(number));
}

function validateIPBlock(block: DeepReadonly<IPBlock>, path: string, errors: FieldErrors, stored: readonly string[]): void {
  if (block.cidr === '') return errors.required(`${path}.cidr`);
  validateLegacyCIDR(block.cidr, `${path}.cidr`, errors, stored);
  const outer = parseCIDR(block.cidr);
  if (outer === undefined) return;
  for (const [i, text] of (block.except ?? []).entries()) {
    const at = `${path}.except[${i}]`;
    validateLegacyCIDR(text, at, errors, stored);
    const inner = parseCIDR(text);
    if (inner === undefined) continue;
    const { ip, network, prefixLength: length } = outer;
    const within =
      ip.family === inner.ip.family &&
      length < inner.prefixLength &&
      network.bytes.every((byte, n) => {
        const mask = (0xff << (8 - Math.min(8, Math.max(0, length - 8 * n)))) & 0xff;
        return byte === ((inner.network.bytes[n] ?? 0) & mask);
      });
    if (!within) errors.invalid(at, text, 'must be a strict subset of `cidr`');
  }
}

function validatePeer({ peer, path }: PeerAt, options: Options, errors: FieldErrors): void {
  const { podSelector, namespaceSelector, ipBlock } = peer;
  if (podSelector) validateLabelSelector(podSelector, `${path}.podSelector`, errors, options);
  if (namespaceSelector) validateLabelSelector(namespaceSelector, `${path}.namespaceSelector`, errors, options);
  if (ipBlock) validateIPBlock(ipBlock, `${path}.ipBlock`, errors, options.stored);
  if (!podSelector && !namespaceSelector && !ipBlock) errors.required(path, 'must specify a peer');
  else if (ipBlock && (podSelector || namespaceSelector)) errors.forbidden(path, 'may not specify both ipBlock and another peer');
}

export function validateNetworkPolicy(policy: Policy, errors: FieldErrors, old?: Policy): void {
  const spec = policy.spec;
  const options = optionsOf(old);
  validateLabelSelector(spec?.podSelector, 'spec.podSelector', errors, options);
  const peers = peersOf(policy);
  for (const direction of ['ingress', 'egress'] as const) {
    for (const [i, rule] of (spec?.[direction] ?? []).entries()) {
      const at = `spec.${direction}[${i}]`;
      for (const [j, port] of (rule.ports ?? []).entries()) validatePort(port, `${at}.ports[${j}]`, errors);
      for (const peer of peers) if (peer.path.startsWith(`${at}.`)) validatePeer(peer, options, errors);
    }
  }
  const types = spec?.policyTypes ?? [];
  const known = ['Ingress', 'Egress'];
  if (types.length > known.length) return errors.invalid('spec.policyTypes', types, 'may not specify more than two policyTypes');
  for (const [i, type] of types.entries()) if (!known.includes(type)) errors.notSupported(`spec.policyTypes[${i}]`, type, known);
}

export const networkPolicyWarnings = (policy: Policy): string[] =>
  peersOf(policy).flatMap(({ peer: { ipBlock }, path }) =>
    ipBlock === undefined
      ? []
      : [
          ...warningsForCIDR(ipBlock.cidr, `${path}.ipBlock.cidr`),
          ...(ipBlock.except ?? []).flatMap((text, i) => warningsForCIDR(text, `${path}.ipBlock.except[${i}]`)),
        ],
  );
