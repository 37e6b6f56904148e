import { expect, it } from 'vitest';
import { containerConfig, sandboxConfig } from '@skiff/cri/conformance';
import { defaultDockerRuntimeConfig } from './config.ts';
import { createContainers } from './containers.ts';

it('does not call a container failed that runs, though a setting of its cgroup could not be written', async () => {
  const warned: string[] = [];
  const id = 'c';
  // Too long for a path: neither gone nor unknown to the kernel.
  const cgroupParent = '/p'.repeat(3000);
  const docker = { createContainer: async () => ({ id }), getContainer: () => ({ start: async () => undefined }) };
  const status = { ...sandboxConfig(), id: 's', state: 'ready', createdAtMs: 0 };
  const containers = createContainers({
    engine: { docker: async () => docker },
    facts: { get: async () => ({ cgroupVersion: 2, cgroupDriver: 'cgroupfs', oomScoreFloor: -1000 }) },
    sandboxes: { record: async () => ({ status, cgroupParent, runtime: '' }) },
    config: { ...defaultDockerRuntimeConfig, warn: (_error: unknown, message: string) => warned.push(message) },
  } as unknown as Parameters<typeof createContainers>[0]);
  const config = containerConfig('image', ['true']);
  const resources = { ...config.resources, unified: { 'memory.high': '1' } };
  expect(await containers.createContainer('s', { ...config, resources })).toBe(id);
  await containers.startContainer(id);
  expect(warned).toEqual([`container ${id} runs without limits that the engine has no setting for`]);
});
