import type { DialFailure } from './messages.ts';

const words: Readonly<Record<string, string>> = {
  ECONNREFUSED: 'connect: connection refused',
  EHOSTUNREACH: 'connect: no route to host',
  ENETUNREACH: 'connect: network is unreachable',
  ECONNRESET: 'connect: connection reset by peer',
  ETIMEDOUT: 'i/o timeout',
  ENOTFOUND: 'no such host',
};

const authority = (host: string, port: number): string => (host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`);

/** Why a TCP connection failed, as Go says it: clients and people look for these words. */
export function describeDialFailure(error: unknown, host: string, port: number): string {
  const { code, message } = error as { code?: string; message?: string };
  return `dial tcp ${authority(host, port)}: ${words[code ?? ''] ?? message ?? String(error)}`;
}

/** A connection that could not be made. UNAVAILABLE: not through this tunnel; another way may work. */
export class DialError extends Error {
  readonly reason: DialFailure | 'UNAVAILABLE';
  constructor(reason: DialError['reason'], message: string) {
    super(message);
    this.reason = reason;
  }
}
