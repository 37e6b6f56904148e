import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach } from 'vitest';
import { command, kubectls } from './cluster.ts';

/** Instances that stories start. */
const instances = ['e2e', 'newcomer', 'two', 'ctrd'] as const;

/** The last warnings and errors of each process. */
function complaints(folder: string): readonly string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder)
    .filter((name) => name.endsWith('.log'))
    .flatMap((name) => {
      const lines = readFileSync(join(folder, name), 'utf8').split('\n');
      return lines
        .filter((line) => /"level":(?:[4-6]0|"(?:warn|error|fatal)")/.test(line))
        .slice(-8)
        .map((line) => `${name}: ${line.slice(0, 500)}`);
    });
}

/** A story that fails says how its cluster was at that moment, before anything is cleaned up. */
afterEach(async ({ task }) => {
  if (task.result?.state !== 'fail') return;
  for (const instance of instances) {
    const rootDir = `/var/lib/skiff-${instance}`;
    const kubeconfig = join(rootDir, 'kubeconfig/admin.conf');
    if (!existsSync(kubeconfig)) continue;
    const kubectl = async (...args: readonly string[]): Promise<readonly string[]> => {
      const said = await command(kubectls()[0] ?? 'kubectl', ['--kubeconfig', kubeconfig, '--request-timeout=10s', ...args]);
      return `${said.stdout}${said.stderr}`.trim().split('\n');
    };
    const engine = await command('docker', [
      'ps',
      '--all',
      `--filter=label=io.skiff.instance=${instance}`,
      '--format={{.Names}} {{.Status}}',
    ]);
    console.log(
      [
        `how cluster ${instance} was when "${task.name}" had failed:`,
        ...(await kubectl('get', 'nodes,pods', '-A', '-o', 'wide')),
        ...(await kubectl('get', 'events', '-A', '--sort-by=.metadata.creationTimestamp')).slice(-30),
        engine.stdout,
        ...complaints(join(rootDir, 'log')),
      ].join('\n'),
    );
  }
});
