import { createHash } from 'node:crypto';

const digest = (text: string): string => createHash('sha256').update(text).digest('hex');

/** What one instance of the kubelet calls its things on the host, so that several live side by side. */
export interface NetworkNames {
  /** All host ends of this instance's pods begin with it, and nothing else does. */
  readonly linkPrefix: string;
  readonly chains: { readonly forward: string; readonly input: string; readonly postrouting: string };
}

/** Links of Services (the proxy's) begin with this in every instance; what goes there keeps its source. */
export const serviceLinkPrefix = 'sks-';

export function networkNames(instance: string): NetworkNames {
  const tag = instance.length <= 10 ? instance : digest(instance).slice(0, 10);
  return {
    linkPrefix: `skp${digest(instance).slice(0, 4)}`,
    chains: { forward: `SKIFF-POD-FWD-${tag}`, input: `SKIFF-POD-IN-${tag}`, postrouting: `SKIFF-POD-POST-${tag}` },
  };
}

/** 15 characters at most, which is Linux' limit. */
export const podLink = (names: NetworkNames, podUid: string, attempt: number): string =>
  `${names.linkPrefix}${digest(`${podUid}/${attempt}`).slice(0, 8)}`;
