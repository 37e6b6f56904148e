import type { DataTable, TableDelta } from '../table/types.ts';

/** From proxy to proxy-data, as lines of JSON on the control socket. */
export type DataRequest =
  | { readonly type: 'snapshot'; readonly table: DataTable }
  /** Only after a snapshot on the same connection. */
  | { readonly type: 'delta'; readonly delta: TableDelta }
  /** Choose the address no more; answered when no connection to it is open, or after the time given. */
  | { readonly type: 'drain'; readonly id: number; readonly address: string; readonly timeoutMs: number }
  | { readonly type: 'stats'; readonly id: number }
  /** Start the program given in one's own place, pass it all listeners, serve what is open to its end. */
  | { readonly type: 'hand-over'; readonly id: number; readonly command: readonly string[] };

export interface FrontendProblem {
  readonly key: string;
  readonly message: string;
}

export interface GroupStats {
  readonly connections: number;
  readonly open: number;
  readonly retries: number;
  readonly failures: number;
  readonly bytesIn: number;
  readonly bytesOut: number;
}

export interface DataStats {
  readonly listeners: number;
  readonly openConnections: number;
  readonly udpSessions: number;
  readonly shed: number;
  readonly descriptorLimit: number;
  readonly groups: Readonly<Record<string, GroupStats>>;
}

/** From proxy-data to proxy. */
export type DataReply =
  /** First on every connection. `isEmpty`: it was never told what to serve. */
  | { readonly type: 'hello'; readonly version: string; readonly pid: number; readonly isEmpty: boolean }
  /** The table is in force, but for the listeners that could not be opened; those are tried again by themselves. */
  | { readonly type: 'applied'; readonly problems: readonly FrontendProblem[] }
  | { readonly type: 'drained'; readonly id: number; readonly openConnections: number }
  | { readonly type: 'stats'; readonly id: number; readonly stats: DataStats }
  | { readonly type: 'handed-over'; readonly id: number; readonly error?: string };
