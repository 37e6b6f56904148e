/** The messages of `proto/skiff/tunnel/v1/tunnel.proto`, whose comments say what they mean. Of a oneof, one member is there. */

export type TunnelTarget =
  | { readonly kubelet: object }
  | { readonly pod: HostPort }
  /** What the node's pods could reach. */
  | { readonly address: HostPort };

export interface HostPort {
  readonly host: string;
  readonly port: number;
}

export interface Dial {
  readonly id: string;
  readonly target?: Partial<{ kubelet: object; pod: HostPort; address: HostPort }> | null;
  readonly timeoutMs: number;
}

export const dialFailures = ['UNREACHABLE', 'FORBIDDEN', 'EXHAUSTED'] as const;
export type DialFailure = (typeof dialFailures)[number];

export interface DialFailed {
  readonly id: string;
  readonly reason: DialFailure;
  readonly message: string;
}

export interface DrainAddresses {
  readonly id: string;
  readonly addresses: readonly string[];
  readonly lingerMs: number;
}

export interface AddressesDrained {
  readonly id: string;
  readonly openConnections: number;
  readonly finished: boolean;
  readonly error: string;
}

export interface ServerMessage {
  readonly welcome?: { readonly serverId: string };
  readonly dial?: Dial;
  readonly drainAddresses?: DrainAddresses;
}

export interface NodeMessage {
  readonly register?: object;
  readonly dialFailed?: DialFailed;
  readonly addressesDrained?: AddressesDrained;
}

export interface Frame {
  readonly data?: Buffer;
  readonly end?: object;
  readonly reset?: { readonly message: string };
}

export interface DrainRequest {
  readonly podNamespace: string;
  readonly podName: string;
  readonly podUid: string;
  readonly chooseTimeoutMs: number;
  readonly lingerMs: number;
}

export interface DrainResponse {
  readonly inService: boolean;
  readonly openConnections: number;
}

export const tunnelService = '/skiff.tunnel.v1.Tunnel/';
/** Metadata of Connect. */
export const dialIdHeader = 'skiff-dial-id';
/** No message may be larger; connections are cut into smaller pieces. */
export const maxMessageBytes = 1024 * 1024;
export const maxFrameBytes = 256 * 1024;
