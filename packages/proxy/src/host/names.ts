import { createHash } from 'node:crypto';
import { formatIpv4 } from '../table/ip.ts';

/** Everything that one instance of the proxy makes on its host, so that several live side by side and each finds its own again. */
export interface HostNames {
  readonly netns: string;
  /** The host's end of the veth pair; at most 15 characters. */
  readonly link: string;
  /** Addresses of the pair: link-local, the host's end and the services' end. */
  readonly hostAddress: string;
  readonly servicesAddress: string;
  readonly chains: {
    readonly forward: string;
    readonly input: string;
    readonly postrouting: string;
    readonly prerouting: string;
    readonly output: string;
    readonly manglePrerouting: string;
    readonly rawPrerouting: string;
    readonly rawOutput: string;
  };
}

export const hostMac = '02:73:6b:00:00:01';
export const servicesMac = '02:73:6b:00:00:02';

/** The peer's name inside the services namespace. */
export const peerLink = 'eth0';

/** Derives all names from the instance's. Throws when it can't be part of a name. */
export function hostNames(instance: string): HostNames {
  if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/.test(instance) || instance.length > 40) {
    throw new Error(`"${instance}" can't name an instance: small letters, digits and dashes, at most 40`);
  }
  const digest = createHash('sha256').update(instance).digest();
  const tag = instance.length <= 10 ? instance : digest.toString('hex').slice(0, 10);
  // 169.254.64.0 to 169.254.127.255, two addresses each; nothing else is told about them.
  const pair = 169 * 2 ** 24 + 254 * 2 ** 16 + 64 * 256 + (digest.readUInt16BE(0) % 8192) * 2;
  const chain = (what: string): string => `SKIFF-SVC-${what}-${tag}`;
  return {
    netns: `${instance}-services`,
    link: `sks-${tag}`,
    hostAddress: formatIpv4(pair),
    servicesAddress: formatIpv4(pair + 1),
    chains: {
      manglePrerouting: chain('MPRE'),
      rawPrerouting: chain('RPRE'),
      rawOutput: chain('ROUT'),
      forward: chain('FWD'),
      input: chain('IN'),
      postrouting: chain('POST'),
      prerouting: chain('PRE'),
      output: chain('OUT'),
    },
  };
}
