import { spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { apiRequest, hostAccess, messageOf, nodeReadiness, type ReadinessOrder } from '../cluster/api-request.ts';
import type { ClusterConfig } from '../config.ts';
import { isAlive, readState } from '../supervisor/state.ts';
import { UserError } from '../user-error.ts';

/** Starts the processes of this host, unless they run already. Resolves with whether they did. */
export function ensureSupervisor(config: ClusterConfig): boolean {
  const running = isAlive(readState(config.rootDir)?.supervisor);
  if (!running) startSupervisor(config);
  return running;
}

function startSupervisor(config: ClusterConfig): void {
  mkdirSync(join(config.rootDir, 'log'), { recursive: true, mode: 0o750 });
  mkdirSync(join(config.rootDir, 'run'), { recursive: true, mode: 0o750 });
  const log = openSync(join(config.rootDir, 'log/supervisor.log'), 'a');
  const main = fileURLToPath(new URL('../main.js', import.meta.url));
  spawn(process.execPath, [main, 'supervise', '--root-dir', config.rootDir], { detached: true, stdio: ['ignore', log, log] }).unref();
}

interface Patience {
  readonly timeoutMs: number;
  /** When the time began, on the monotonic clock; absent: now. */
  readonly sinceMonotonicMs?: number;
}

/** Waits for this host's node to be Ready. Throws UserError with what is known of the reason when it isn't in time. */
export async function waitReady(config: ClusterConfig, note: (text: string) => void, o: ReadinessOrder & Patience): Promise<void> {
  const endMs = (o.sinceMonotonicMs ?? performance.now()) + o.timeoutMs;
  let notHeartbeat: string | undefined;
  for (;;) {
    const { ready, why, heartbeat } = await nodeReadiness(config, { ...o, notHeartbeat });
    if (ready) return note(config.nodeName);
    notHeartbeat ??= heartbeat;
    note(why);
    if (performance.now() > endMs)
      throw new UserError(`The node is not Ready after ${o.timeoutMs / 1000} s: ${why}\n${failingProcesses(config)}`);
    await new Promise((r) => setTimeout(r, 50));
  }
}

/** Waits for what the first command after `up` needs: pods can be made, and logs and exec reach this host's kubelet. Throws UserError with what is missing. */
export async function waitUsable(config: ClusterConfig, note: (text: string) => void, o: Patience): Promise<void> {
  const endMs = (o.sinceMonotonicMs ?? performance.now()) + o.timeoutMs;
  const access = hostAccess(config);
  const needs = [
    { path: '/api/v1/namespaces/default/serviceaccounts/default', missing: 'the account that pods run as is not there yet' },
    { path: `/api/v1/nodes/${config.nodeName}/proxy/healthz`, missing: 'the kubelet can’t be reached through the API yet' },
  ];
  for (const { path, missing } of needs) {
    for (;;) {
      const problem = await apiRequest(access, { path, timeoutMs: 3_000 }).then(
        (answer) => (answer.code === 200 ? undefined : messageOf(answer)),
        (error: unknown) => (error instanceof Error ? error.message : String(error)),
      );
      if (problem === undefined) break;
      note(`${missing} (${problem})`);
      if (performance.now() > endMs)
        throw new UserError(`After ${o.timeoutMs / 1000} s ${missing}: ${problem}\n${failingProcesses(config)}`);
      await new Promise((r) => setTimeout(r, 50));
    }
  }
}

function failingProcesses(config: ClusterConfig): string {
  const processes = Object.entries(readState(config.rootDir)?.processes ?? {});
  const failing = processes.filter(([, p]) => p.restarts > 0 || p.lastExit !== undefined);
  if (failing.length === 0) return `Logs are in ${join(config.rootDir, 'log')}.`;
  return failing
    .map(([name, p]) => {
      const log = join(config.rootDir, 'log', `${name}.log`);
      const tail = existsSync(log) ? readFileSync(log, 'utf8').trim().split('\n').slice(-5).join('\n    ') : '';
      return `  ${name}: ended with ${p.lastExit ?? 'an error'}, restarted ${p.restarts} times; the end of ${log}:\n    ${tail}`;
    })
    .join('\n');
}
