import type { Etcd3 } from 'etcd3';

export interface EtcdStoreConfig {
  /** `http://` or `https://` addresses of the members, all of one cluster. */
  readonly endpoints: readonly string[];
  /** PEM. Client certificate and key go together. */
  readonly tls?: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  readonly auth?: { readonly username: string; readonly password: string };
  /** How long one call may take before its outcome counts as unknown. Default 10 s. */
  readonly callTimeoutMs?: number;
}

/**
 * etcd3, for what is not on the hot path: leases and auth. It is loaded on first use, since it takes 25 MB and half the time that an
 * apiserver needs to start. Its fault handling is off: its circuit breaker refuses every call for seconds after three failed ones, and a retried
 * write would be done twice. What is left of its care is what we want: a failed call drops the host's channels, which is the
 * cure for a channel that answers RST_STREAM for good after some hundred thousand calls (grpc-node 3040). For that each channel
 * has its own connections.
 */
export async function createEtcdClient(config: EtcdStoreConfig): Promise<Etcd3> {
  const [{ Etcd3 }, { noop }] = await Promise.all([import('etcd3'), import('cockatiel')]);
  const timeoutMs = config.callTimeoutMs ?? 10_000;
  const { tls } = config;
  return new Etcd3({
    hosts: [...config.endpoints],
    ...(tls && {
      credentials: {
        rootCertificate: tls.ca,
        ...(tls.key && { privateKey: tls.key }),
        ...(tls.cert && { certChain: tls.cert }),
      },
    }),
    ...(config.auth && { auth: config.auth }),
    faultHandling: { host: () => noop, global: noop },
    defaultCallOptions: (context) => (context.isStream ? {} : { deadline: Date.now() + timeoutMs }),
    grpcOptions: {
      'grpc.max_receive_message_length': -1,
      'grpc.max_send_message_length': -1,
      'grpc.keepalive_time_ms': 10_000,
      'grpc.keepalive_timeout_ms': 5_000,
      'grpc.initial_reconnect_backoff_ms': 50,
      'grpc.min_reconnect_backoff_ms': 50,
      'grpc.max_reconnect_backoff_ms': 1_000,
      'grpc.use_local_subchannel_pool': 1,
      'grpc.enable_channelz': 0,
    },
  });
}
