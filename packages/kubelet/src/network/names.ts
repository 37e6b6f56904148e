import { createHash } from 'node:crypto';

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

/** What one instance of the kubelet calls its things on the host, so that several live side by side. */
export interface NetworkNames {
  /** All host ends of this instance's pods begin with it, and nothing else does. */
  readonly linkPrefix: string;
  /** The tunnel to nodes that are not on this host's segment. */
  readonly vxlanLink: string;
  /** The link to the services namespace, which the proxy makes. */
  readonly servicesLink: string;
  /** Marks rules in firewalls that belong to others. */
  readonly tag: string;
  readonly chains: {
    readonly forward: string;
    readonly input: string;
    readonly postrouting: string;
    readonly prerouting: string;
    readonly output: string;
  };
}

/** Links of Services (the proxy's) begin with this in every instance; what goes there keeps its source. */
export const serviceLinkPrefix = 'sks-';

export function networkNames(instance: string): NetworkNames {
  const tag = instance.length <= 10 ? instance : digest(instance).slice(0, 10);
  const chain = (what: string): string => `SKIFF-POD-${what}-${tag}`;
  return {
    linkPrefix: `skp${digest(instance).slice(0, 4)}`,
    vxlanLink: `skv-${tag}`,
    servicesLink: `${serviceLinkPrefix}${tag}`,
    tag,
    chains: {
      forward: chain('FWD'),
      input: chain('IN'),
      postrouting: chain('POST'),
      prerouting: chain('PRE'),
      output: chain('OUT'),
    },
  };
}

/** 15 characters at most, which is Linux' limit. */
export const podLink = (names: NetworkNames, podUid: string, attempt: number): string =>
  `${names.linkPrefix}${digest(`${podUid}/${attempt}`).slice(0, 8)}`;

/** Hosts of one cluster agree on it without being told: clusters on one host have different ranges. */
export const defaultVni = (clusterCidrs: readonly string[]): number =>
  4096 + (Number.parseInt(digest(clusterCidrs.join()).slice(0, 8), 16) % 16_000_000);
