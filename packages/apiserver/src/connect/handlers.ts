import type { Logger } from '@skiff/component-base';
import type { Authorizer } from '../authz/authorizer.ts';
import type { KubeletClientConfig } from '../config.ts';
import type { ResourceRegistry } from '../contract.ts';
import type { ConnectHandler } from './connect-handler.ts';

export interface ConnectDeps {
  readonly registry: ResourceRegistry;
  readonly authorizer: Authorizer;
  readonly log: Logger;
}

/** Every streaming subresource. */
export function createConnectHandlers(_config: KubeletClientConfig, _deps: ConnectDeps): readonly ConnectHandler[] {
  return [];
}
