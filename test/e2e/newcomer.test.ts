import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { afterAll, expect, it } from 'vitest';
import { clusterPlace, command, eventually, lines, repositoryRoot } from './support/cluster.ts';

const folder = mkdtempSync(join(tmpdir(), 'skiff-clone-'));
const clone = join(folder, 'skiff');
const place = clusterPlace('newcomer', 1);
afterAll(async () => {
  if (existsSync(clone)) await command('npm', ['run', 'down', '--', `--root-dir=${place.rootDir}`, '--wipe'], { cwd: clone });
  rmSync(folder, { recursive: true, force: true });
});

/** What a cluster leaves on a host: interfaces, namespaces, rules, routes, mounts, processes, containers. */
async function traces(): Promise<readonly string[]> {
  const { instance, rootDir } = place;
  const containers = await new Docker().listContainers({ all: true, filters: { label: [`io.skiff.instance=${instance}`] } });
  const own = (text: string): boolean => text.includes(instance);
  // Other clusters' command lines and mounts hold the path of the clone they run from, which may be called anything.
  const ofTheCluster = (text: string): boolean => text.includes(rootDir) || text.includes(`--instance=${instance}`);
  return [
    ...containers.map((c) => `container ${c.Names.join()}`),
    ...lines('ip', ['netns', 'list']).filter(own),
    ...lines('ip', ['-o', 'link']).filter(own),
    ...lines('ip', ['route']).filter((l) => /^10\.(101|111|121)\./.test(l)),
    ...lines('iptables-save', []).filter((l) => own(l.toLowerCase()) || /10\.(101|111|121)\./.test(l)),
    ...lines('cat', ['/proc/self/mountinfo']).filter(ofTheCluster),
    ...lines('find', ['/sys/fs/cgroup', '-maxdepth', '2', '-name', instance]),
    ...lines('docker', ['images', '--format', '{{.Repository}}', 'skiff.local/*']),
    ...lines('ps', ['-eo', 'args']).filter(ofTheCluster),
    ...(existsSync(rootDir) ? [rootDir] : []),
  ];
}

it('clone, up, demo, down, up again, wipe: as the README says, and nothing is left', { timeout: 1_200_000 }, async () => {
  const cloned = await command('git', ['clone', '--quiet', repositoryRoot, clone]);
  expect(cloned.stderr).toBe('');
  const npm = async (...args: string[]): Promise<string> => {
    const result = await command('npm', ['run', '--silent', ...args], { cwd: clone, timeoutMs: 600_000 });
    if (result.code !== 0) throw new Error(`npm run ${args.join(' ')} failed:\n${result.stdout}${result.stderr}`);
    console.log(`npm run ${args[0]}: ${(result.ms / 1000).toFixed(1)} s\n${result.stdout}`);
    return result.stdout;
  };
  const rootDir = `--root-dir=${place.rootDir}`;
  const up = await npm('up', '--', ...place.flags);
  expect(up).toContain(`The kubeconfig is ${place.rootDir}/kubeconfig/admin.conf`);
  expect(await npm('status', '--', rootDir)).toMatch(/node .* is Ready/);
  const demo = await npm('demo', '--', rootDir);
  expect(demo).toMatch(/ requests, 0 failed \(web v1: \d+, web v2: \d+\)/);
  const containers = (): Promise<readonly string[]> =>
    new Docker()
      .listContainers({ filters: { label: [`io.skiff.instance=${place.instance}`] } })
      .then((all) => all.map((c) => `${c.Names.join()} ${c.Id}`).sort());
  // Pods that the rolling update replaced may still be on their way out when it is done.
  const before = await eventually('each pod of the demo, and no other, has a container and a sandbox', async () => {
    const all = await containers();
    if (all.length !== 2 * (6 + 2 + 1)) throw new Error(`there are: ${all.join('\n')}`);
    return all;
  });
  await npm('down', '--', rootDir);
  expect(await containers()).toEqual(before);
  await npm('up', '--', rootDir);
  expect(await containers()).toEqual(before);
  await npm('down', '--', rootDir, '--wipe');
  expect(await traces()).toEqual([]);
});
