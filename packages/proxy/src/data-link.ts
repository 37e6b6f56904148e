import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { join } from 'node:path';
import { aborted, childSignal, type Clock, type Logger } from '@skiff/component-base';
import { encodeLine, lineDecoder } from './data/frames.ts';
import { boundDataLog, openDataLog } from './data-log.ts';
import type { DataReply, DataRequest, DataStats, FrontendProblem } from './data/protocol.ts';
import { namespaceInode } from './host/namespace.ts';
import { diffTables } from './table/diff.ts';
import type { DataTable } from './table/types.ts';

export interface DataLinkConfig {
  readonly instance: string;
  readonly rootDir: string;
  readonly netnsPath: string;
  readonly clusterCidr: string;
  readonly shadowCidr: string;
  /** Program and arguments of Node: what is run is `execPath ...execArgv main --flags`. */
  readonly main: string;
  readonly execArgv: readonly string[];
  readonly version: string;
}

/** proxy's hold on proxy-data: starts it, keeps its table current, replaces it by a newer version. Survives the death of either. */
export interface DataLink {
  /** The table to be in force from now on. Before the first call proxy-data keeps whatever table it has. */
  setTable(table: DataTable): void;
  /** The table for a proxy-data that has none, until `setTable` is called. */
  setFallback(table: DataTable): void;
  /** See DataRequest `drain`; undefined when proxy-data is not there to answer. */
  drain(address: string, timeoutMs: number): Promise<number | undefined>;
  stats(): Promise<DataStats | undefined>;
  readonly connected: boolean;
  run(signal: AbortSignal): Promise<void>;
}

interface Deps {
  readonly clock: Clock;
  readonly log: Logger;
  onApplied?(problems: readonly FrontendProblem[]): void;
}

const logCheckMs = 60_000;
const startTimeoutMs = 10_000;
const answerTimeoutMs = 5_000;

export const dataSocketPath = (rootDir: string): string => join(rootDir, 'data.sock');

const tryConnect = (path: string): Promise<Socket | undefined> =>
  new Promise((resolve) => {
    const socket = connect(path);
    socket.once('connect', () => resolve(socket));
    socket.once('error', () => resolve(undefined));
  });

export function createDataLink(config: DataLinkConfig, deps: Deps): DataLink {
  const { clock, log } = deps;
  const path = dataSocketPath(config.rootDir);
  let table: DataTable | undefined;
  let fallback: DataTable | undefined;
  let isEmpty = false;
  let sent: DataTable | undefined;
  let current: Socket | undefined;
  let lastId = 0;
  /** A successor that failed is not tried again with the same predecessor. */
  let triedHandOver: number | undefined;
  const waiting = new Map<number, (reply: DataReply | undefined) => void>();

  const post = (socket: Socket, request: DataRequest): boolean => socket.write(encodeLine(request));

  function sync(): void {
    if (current === undefined) return;
    if (table === undefined) {
      if (isEmpty && fallback !== undefined) {
        isEmpty = false;
        post(current, { type: 'snapshot', table: fallback });
      }
      return;
    }
    if (sent === table) return;
    if (sent === undefined) post(current, { type: 'snapshot', table });
    else {
      const delta = diffTables(sent, table);
      if (delta !== undefined) post(current, { type: 'delta', delta });
    }
    sent = table;
  }

  function ask(socket: Socket, make: (id: number) => DataRequest, timeoutMs: number): Promise<DataReply | undefined> {
    const id = ++lastId;
    return new Promise((resolve) => {
      const settle = (reply: DataReply | undefined): void => {
        timer[Symbol.dispose]();
        waiting.delete(id);
        resolve(reply);
      };
      const timer = clock.after(timeoutMs, () => settle(undefined));
      waiting.set(id, settle);
      post(socket, make(id));
    });
  }

  function dataCommand(): readonly string[] {
    const flags = {
      instance: config.instance,
      socket: path,
      'data-version': config.version,
      'cluster-cidr': config.clusterCidr,
      'shadow-cidr': config.shadowCidr,
    };
    const node = [process.execPath, '--max-semi-space-size=8', ...config.execArgv, config.main];
    return [...node, ...Object.entries(flags).map(([name, value]) => `--${name}=${value}`)];
  }

  function start(): void {
    mkdirSync(config.rootDir, { recursive: true, mode: 0o750 });
    const output = openDataLog(config.rootDir);
    const hostNamespace = openSync('/proc/self/ns/net', 'r');
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MALLOC_')));
    const child = spawn('nsenter', [`--net=${config.netnsPath}`, ...dataCommand()], {
      detached: true,
      env,
      stdio: ['ignore', output, output, hostNamespace],
    });
    child.on('error', (error) => log.error({ err: error }, "proxy-data can't be started"));
    child.unref();
    closeSync(output);
    closeSync(hostNamespace);
  }

  async function reach(signal: AbortSignal): Promise<Socket> {
    const running = await tryConnect(path);
    if (running !== undefined) return running;
    log.info('starting proxy-data');
    start();
    const deadlineMs = clock.monotonicMs() + startTimeoutMs;
    while (clock.monotonicMs() < deadlineMs) {
      await clock.sleep(20, signal);
      const socket = await tryConnect(path);
      if (socket !== undefined) return socket;
    }
    throw new Error(`proxy-data does not answer; its log is ${join(config.rootDir, 'proxy-data.log')}`);
  }

  /** Decides what becomes of the proxy-data that answered: false when another one is to take its place. */
  async function settleVersion(socket: Socket, hello: Extract<DataReply, { type: 'hello' }>): Promise<boolean> {
    const [wanted, actual] = await Promise.all([namespaceInode(config.netnsPath), namespaceInode(`/proc/${hello.pid}/ns/net`)]);
    if (wanted !== undefined && actual !== undefined && wanted !== actual) {
      log.warn({ pid: hello.pid }, "proxy-data lives in a namespace that is no longer the services'; starting it anew");
      process.kill(hello.pid, 'SIGTERM');
      return false;
    }
    if (hello.version === config.version || triedHandOver === hello.pid) return true;
    triedHandOver = hello.pid;
    log.info({ from: hello.version, to: config.version }, 'a new version of proxy-data takes over');
    const reply = await ask(socket, (id) => ({ type: 'hand-over', id, command: dataCommand() }), 30_000);
    if (reply?.type === 'handed-over' && reply.error === undefined) return false;
    log.error({ reply }, 'the hand-over failed; the old version of proxy-data serves on');
    return true;
  }

  async function serve(socket: Socket, signal: AbortSignal): Promise<void> {
    using child = childSignal(signal);
    const closed = new Promise<void>((resolve) => socket.once('close', () => resolve()));
    const stop = (): void => {
      socket.destroy();
    };
    child.signal.addEventListener('abort', stop, { once: true });
    socket.on('error', (error) => log.debug({ err: error }, 'connection to proxy-data'));
    const onReply = (message: unknown): void => {
      const reply = message as DataReply;
      if (reply.type === 'hello') {
        settleVersion(socket, reply).then(
          (stays) => {
            if (!stays) socket.destroy();
            else if (!socket.destroyed) {
              current = socket;
              sent = undefined;
              isEmpty = reply.isEmpty;
              sync();
            }
          },
          (error: unknown) => {
            log.error({ err: error }, 'proxy-data could not be judged');
            socket.destroy();
          },
        );
      } else if (reply.type === 'applied') deps.onApplied?.(reply.problems);
      else waiting.get(reply.id)?.(reply);
    };
    socket.on('data', lineDecoder(onReply));
    const logCheck = setInterval(() => boundDataLog(config.rootDir), logCheckMs).unref();
    await closed;
    clearInterval(logCheck);
    if (current === socket) current = undefined;
    for (const settle of waiting.values()) settle(undefined);
    child.signal.removeEventListener('abort', stop);
  }

  return {
    get connected() {
      return current !== undefined;
    },
    setTable: (next) => {
      table = next;
      sync();
    },
    setFallback: (next) => {
      fallback = next;
      sync();
    },
    drain: async (address, timeoutMs) => {
      if (current === undefined) return undefined;
      const reply = await ask(current, (id) => ({ type: 'drain', id, address, timeoutMs }), timeoutMs + answerTimeoutMs);
      return reply?.type === 'drained' ? reply.openConnections : undefined;
    },
    stats: async () => {
      if (current === undefined) return undefined;
      const reply = await ask(current, (id) => ({ type: 'stats', id }), answerTimeoutMs);
      return reply?.type === 'stats' ? reply.stats : undefined;
    },
    run: async (signal) => {
      while (!signal.aborted) {
        const startedMs = clock.monotonicMs();
        const socket = await Promise.race([reach(signal), aborted(signal)]);
        if (socket === undefined) return;
        await serve(socket, signal);
        if (signal.aborted) return;
        log.info('the connection to proxy-data ended');
        // It is started again at once, unless it dies as it starts.
        if (clock.monotonicMs() - startedMs < 1_000) await clock.sleep(100, signal).catch(() => undefined);
      }
    },
  };
}
