import { mkdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import type { EndpointSlice, IPAddress, Node, Service } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { Clock, Logger } from '@skiff/component-base';

/** What the proxy needs of the cluster to go on without an apiserver, even when it is started anew. */
export interface Remembered {
  readonly services: readonly DeepReadonly<Service>[];
  readonly slices: readonly DeepReadonly<EndpointSlice>[];
  readonly nodes: readonly DeepReadonly<Node>[];
  readonly poolAddresses: readonly DeepReadonly<IPAddress>[];
}

const format = 2;

/** undefined when there is none, or none that this version can read. */
export function loadRemembered(path: string, log: Logger): Remembered | undefined {
  try {
    const file = JSON.parse(readFileSync(path, 'utf8')) as Remembered & { format?: number };
    return file.format === format ? file : undefined;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT')
      log.warn({ err: error, path }, "what was remembered of the cluster can't be read");
    return undefined;
  }
}

/** Written soon after a change, and in a storm of changes no more often than `intervalMs`; nothing is written while nothing changes. */
export interface Memory {
  changed(): void;
  /** Writes what is waiting to be written. */
  close(): void;
}

const soonMs = 1_000;
const intervalMs = 15_000;

export function createMemory(config: { path: string }, deps: { read: () => Remembered; clock: Clock; log: Logger }): Memory {
  const { clock, log } = deps;
  let timer: Disposable | undefined;
  let writtenMs = Number.NEGATIVE_INFINITY;
  let last = '';

  function write(): void {
    timer = undefined;
    writtenMs = clock.monotonicMs();
    const text = JSON.stringify({ format, ...deps.read() });
    if (text === last) return;
    last = text;
    try {
      mkdirSync(dirname(config.path), { recursive: true, mode: 0o750 });
      writeFileSync(`${config.path}.new`, text, { mode: 0o600 });
      renameSync(`${config.path}.new`, config.path);
    } catch (error) {
      log.error({ err: error }, "what is known of the cluster can't be written down");
    }
  }
  return {
    changed: () => {
      timer ??= clock.after(Math.max(soonMs, writtenMs + intervalMs - clock.monotonicMs()), write);
    },
    close: () => {
      if (timer === undefined) return;
      timer[Symbol.dispose]();
      write();
    },
  };
}
