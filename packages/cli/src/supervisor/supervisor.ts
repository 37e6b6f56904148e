import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { type Clock, type Logger } from '@skiff/component-base';
import { isLost, rememberData } from './kept-data.ts';
import { keepLogsShort, openLog } from './process-log.ts';
import type { ProcessDefinition } from './processes.ts';
import { identityOf, isAlive, readState, stopProcess, writeState, type ProcessIdentity, type ProcessState } from './state.ts';

const restartInitialMs = 200;
const restartMaxMs = 5_000;
/** A process that ran this long is healthy: its next restart is prompt again. */
const healthyAfterMs = 30_000;
/** Whether lost data has come back is looked at this often. */
const lostDataCheckMs = 1_000;

interface Deps {
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Supervisor {
  run(signal: AbortSignal): Promise<void>;
  /** Ends a process, gracefully; as any that ended it is started again. */
  restart(name: string): Promise<void>;
}

/**
 * Starts the processes in order and keeps them running: one that ends is started again, after a growing delay if it keeps
 * ending. `run` resolves when the signal aborted and all of them have been stopped, in reverse order.
 */
export function createSupervisor(config: { rootDir: string; processes: readonly ProcessDefinition[] }, deps: Deps): Supervisor {
  const states = new Map<string, ProcessState>();
  const save = (): void => {
    const self = identityOf(process.pid) ?? { pid: process.pid, startTicks: 0 };
    writeState(config.rootDir, { supervisor: self, processes: Object.fromEntries(states) });
  };

  function start(definition: ProcessDefinition, previous: ProcessState | undefined): ChildProcess {
    const log = openLog(config.rootDir, definition.name);
    const child = spawn(definition.command, definition.args, {
      stdio: ['ignore', log, log],
      env: { ...process.env, ...definition.env },
      // A group of its own: a terminal's interrupt reaches the supervisor alone, which then stops all in order.
      detached: true,
    });
    closeSync(log);
    const identity = child.pid === undefined ? undefined : identityOf(child.pid);
    states.set(definition.name, {
      ...identity,
      startedAtMs: deps.clock.now(),
      restarts: previous === undefined ? 0 : previous.restarts + 1,
    });
    save();
    return child;
  }

  async function keep(definition: ProcessDefinition, signal: AbortSignal): Promise<void> {
    let delayMs = restartInitialMs;
    const { data } = definition;
    let saidLost = false;
    while (!signal.aborted) {
      if (data !== undefined && isLost(data)) {
        if (!saidLost) {
          deps.log.error({ process: definition.name }, data.lost);
          states.set(definition.name, { startedAtMs: 0, restarts: 0, ...states.get(definition.name), lastExit: data.lost });
          save();
        }
        saidLost = true;
        await deps.clock.sleep(lostDataCheckMs, signal).catch(() => undefined);
        continue;
      }
      saidLost = false;
      const startedMs = deps.clock.monotonicMs();
      const child = start(definition, states.get(definition.name));
      const remembering = data && rememberData(data, deps);
      const exit = await new Promise<string>((resolve) => {
        child.once('error', (error) => resolve(error.message));
        child.once('exit', (code, name) => resolve(name === null ? `exit code ${code}` : `signal ${name}`));
      });
      remembering?.[Symbol.dispose]();
      const state = states.get(definition.name);
      if (state !== undefined) states.set(definition.name, { startedAtMs: state.startedAtMs, restarts: state.restarts, lastExit: exit });
      if (signal.aborted) return;
      deps.log.warn({ process: definition.name, exit }, 'a process ended; it is started again');
      if (deps.clock.monotonicMs() - startedMs > healthyAfterMs) delayMs = restartInitialMs;
      try {
        await deps.clock.sleep(delayMs, signal);
      } catch {
        return;
      }
      delayMs = Math.min(delayMs * 2, restartMaxMs);
    }
  }

  return {
    async restart(name) {
      const state = states.get(name);
      const definition = config.processes.find((p) => p.name === name);
      if (definition !== undefined && isAlive(state)) await stopProcess(state, definition.stopSeconds);
    },
    async run(signal) {
      for (const folder of ['run', 'log']) mkdirSync(join(config.rootDir, folder), { recursive: true, mode: 0o750 });
      await stopLeftovers(config.rootDir);
      const keepers = config.processes.map((p) => ({ definition: p, stop: new AbortController() }));
      const running = keepers.map((k) => keep(k.definition, k.stop.signal));
      const names = config.processes.map((p) => p.name);
      await keepLogsShort({ rootDir: config.rootDir, names }, deps, signal);
      for (const k of keepers.toReversed()) {
        k.stop.abort();
        const state = states.get(k.definition.name);
        if (isAlive(state)) await stopProcess(state, k.definition.stopSeconds);
      }
      await Promise.all(running);
      save();
    },
  };
}

/** What a supervisor that was killed left behind holds the ports: it is stopped before anything new starts. Containers are not touched. */
async function stopLeftovers(rootDir: string): Promise<void> {
  const left = Object.values(readState(rootDir)?.processes ?? {}).filter((p): p is ProcessState & ProcessIdentity => isAlive(p));
  await Promise.all(left.map((p) => stopProcess(p, 10)));
}
