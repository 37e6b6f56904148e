import { spawn, spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import Docker from 'dockerode';
import { createClient, loadKubeconfig, type Client } from '@skiff/client';

export const repositoryRoot = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, '../../..');

/** A cluster of its own on this machine: instance, folder, ports and ranges that nothing else uses. */
export interface ClusterPlace {
  readonly instance: string;
  readonly rootDir: string;
  readonly securePort: number;
  /** All flags for `skiff up`. */
  readonly flags: readonly string[];
}

/** Places differ by `slot`, 0 to 9, so that clusters can run side by side. */
export function clusterPlace(instance: string, slot: number): ClusterPlace {
  const rootDir = `/var/lib/skiff-${instance}`;
  const securePort = 16443 + slot * 10;
  return {
    instance,
    rootDir,
    securePort,
    flags: [
      `--root-dir=${rootDir}`,
      `--instance=${instance}`,
      `--secure-port=${securePort}`,
      `--etcd-client-port=${22379 + slot * 10}`,
      `--etcd-peer-port=${22380 + slot * 10}`,
      `--kubelet-port=${20250 + slot * 10}`,
      `--health-port-base=${20255 + slot * 10}`,
      `--service-cidr=10.${100 + slot}.0.0/16`,
      `--pod-cidr=10.${110 + slot}.0.0/16`,
      `--shadow-cidr=10.${120 + slot}.0.0/16`,
    ],
  };
}

export interface CommandResult {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
  readonly ms: number;
}

/** Runs a program to its end; never throws for an exit code. */
export function command(
  program: string,
  args: readonly string[],
  o: { cwd?: string; env?: NodeJS.ProcessEnv; input?: string; timeoutMs?: number } = {},
): Promise<CommandResult> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    const child = spawn(program, args, {
      cwd: o.cwd ?? repositoryRoot,
      env: { ...process.env, ...o.env },
      timeout: o.timeoutMs ?? 120_000,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (d: Buffer) => {
      stdout += d.toString();
    });
    child.stderr.on('data', (d: Buffer) => {
      stderr += d.toString();
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code: code ?? -1, stdout, stderr, ms: performance.now() - started }));
    child.stdin.on('error', () => undefined);
    child.stdin.end(o.input ?? '');
  });
}

const skiffMain = join(repositoryRoot, 'packages/cli/dist/main.js');
export const skiff = (args: readonly string[], timeoutMs = 180_000): Promise<CommandResult> =>
  command(process.execPath, [skiffMain, ...args], { timeoutMs });

/** Every kubectl to test with: the one the test run was given, and others that this machine has beside it. */
export function kubectls(): readonly string[] {
  const given = process.env['SKIFF_KUBECTL'] ?? 'kubectl';
  const more = (process.env['SKIFF_MORE_KUBECTLS'] ?? '').split(':').filter((p) => p !== '');
  return [given, ...more];
}

export interface RunningCluster {
  readonly place: ClusterPlace;
  readonly kubeconfig: string;
  readonly client: Client;
  readonly docker: Docker;
  /** kubectl of the default version; throws with what it printed when it fails. */
  kubectl(args: string, o?: { input?: string; timeoutMs?: number; binary?: string }): Promise<string>;
  /** As `kubectl`, but returns whatever comes. */
  tryKubectl(args: string, o?: { input?: string; timeoutMs?: number; binary?: string }): Promise<CommandResult>;
  /** pids of the cluster's processes by name. */
  pids(): Readonly<Record<string, number>>;
}

export function connect(place: ClusterPlace): RunningCluster {
  const kubeconfig = join(place.rootDir, 'kubeconfig/admin.conf');
  const tryKubectl: RunningCluster['tryKubectl'] = (args, o = {}) =>
    command(o.binary ?? kubectls()[0] ?? 'kubectl', ['--kubeconfig', kubeconfig, ...splitWords(args)], {
      ...(o.input === undefined ? {} : { input: o.input }),
      timeoutMs: o.timeoutMs ?? 150_000,
    });
  return {
    place,
    kubeconfig,
    client: createClient(loadKubeconfig(kubeconfig, { userAgent: 'skiff-e2e' })),
    docker: new Docker({ socketPath: '/var/run/docker.sock' }),
    tryKubectl,
    async kubectl(args, o) {
      const result = await tryKubectl(args, o);
      if (result.code !== 0) throw new Error(`kubectl ${args}: exit code ${result.code}\n${result.stdout}${result.stderr}`);
      return result.stdout;
    },
    pids() {
      const state = JSON.parse(readFileSync(join(place.rootDir, 'run/supervisor.json'), 'utf8')) as {
        processes: Record<string, { pid?: number }>;
      };
      return Object.fromEntries(Object.entries(state.processes).flatMap(([name, p]) => (p.pid === undefined ? [] : [[name, p.pid]])));
    },
  };
}

/** Words separated by blanks; quotes keep blanks together. */
export function splitWords(text: string): readonly string[] {
  return [...text.matchAll(/'([^']*)'|"([^"]*)"|(\S+)/g)].map((m) => m[1] ?? m[2] ?? m[3] ?? '');
}

/** Polls `check` until it returns something other than undefined/false. Throws `what`, caused by what `check` last threw. */
export async function eventually<T>(what: string, check: () => Promise<T | undefined | false>, timeoutMs = 120_000): Promise<T> {
  const deadline = Date.now() + timeoutMs;
  let last: unknown;
  for (;;) {
    try {
      const value = await check();
      if (value !== undefined && value !== false) return value;
    } catch (error) {
      last = error;
    }
    if (Date.now() > deadline) throw new Error(`${what}: not within ${timeoutMs / 1000} s`, { cause: last });
    await new Promise((r) => setTimeout(r, 100));
  }
}

/** Synchronous `ip netns exec`-free look at the host, for leak checks. */
export const lines = (program: string, args: readonly string[]): readonly string[] =>
  spawnSync(program, args, { encoding: 'utf8' })
    .stdout.split('\n')
    .filter((l) => l !== '');
