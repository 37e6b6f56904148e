import { spawn } from 'node:child_process';
import { loadConfig } from './config.ts';
import { clusterProcesses } from './supervisor/processes.ts';
import { UserError } from './user-error.ts';

/**
 * Runs one process of the cluster in the foreground, with the flags that `up` would give it: what a container of
 * docker-compose.yml does. Resolves with its exit code.
 */
export async function runComponent(rootDir: string, name: string): Promise<number> {
  const config = loadConfig(rootDir);
  if (config === undefined) throw new UserError(`There is no cluster in ${rootDir}; make its certificates first: skiff pki`);
  const processes = clusterProcesses(config, { redis: config.redis });
  const definition = processes.find((p) => p.name === name);
  if (definition === undefined) throw new UserError(`There is no process "${name}"; there are ${processes.map((p) => p.name).join(', ')}`);
  const child = spawn(definition.command, definition.args, { stdio: 'inherit', env: { ...process.env, ...definition.env } });
  for (const signal of ['SIGTERM', 'SIGINT'] as const) process.on(signal, () => child.kill(signal));
  return new Promise((resolve, reject) => {
    child.on('error', reject);
    child.on('exit', (code) => resolve(code ?? 1));
  });
}
