import type { ResourceDefinition } from '@skiff/apimachinery';
import type { RequestInfo, UserInfo } from '../contract.ts';
import type { Exchange } from '../server/exchange.ts';

export interface ConnectRequest {
  readonly exchange: Exchange;
  readonly info: RequestInfo;
  readonly user: UserInfo;
  readonly query: URLSearchParams;
  readonly definition: ResourceDefinition;
  readonly userAgent: string;
  readonly pretty: boolean;
  /** Aborts when the client is gone or the server stops. */
  readonly signal: AbortSignal;
}

/**
 * A subresource that streams or takes the connection over: log, exec, attach, portforward, the proxies. Writes its own answer
 * and resolves when it is over. Throws StatusError as long as nothing has been written.
 */
export interface ConnectHandler {
  readonly group: string;
  readonly resource: string;
  readonly subresource: string;
  /** HTTP methods it takes; others are 405. */
  readonly methods: readonly string[];
  connect(r: ConnectRequest): Promise<void>;
}
