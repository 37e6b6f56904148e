import type { Authorizer } from '../authz/authorizer.ts';
import type { ObjectAccess } from '../contract.ts';
import type { ConnectHandler } from './connect-handler.ts';
import type { KubeletClient } from './kubelet-client.ts';
import { podLog } from './pod-log.ts';
import { podStreams } from './pod-stream.ts';
import { proxies } from './proxy.ts';

export interface ConnectDeps {
  readonly objects: ObjectAccess;
  readonly authorizer: Authorizer;
  readonly kubelets: KubeletClient;
}

/** Every streaming subresource. */
export const createConnectHandlers = (deps: ConnectDeps): readonly ConnectHandler[] => [
  podLog(deps),
  ...podStreams(deps),
  ...proxies(deps),
];
