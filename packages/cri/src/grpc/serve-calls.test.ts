import { silentLogger, systemClock } from '@skiff/component-base';
import { expect, it } from 'vitest';
import { containerConfig, sandboxConfig } from '../conformance.ts';
import { createFakeRuntime } from '../fake/index.ts';
import { createRuntimeCalls, type ServedParts } from './serve-calls.ts';
import { createImageMounts } from './serve-image-mounts.ts';
import { toWireSandboxConfig } from './wire-sandbox.ts';

type CallByName = Record<string, (request: object, signal: AbortSignal) => Promise<object>>;
const never = new AbortController().signal;

it.each(['x', '[1]', 'null', '{"io.kubernetes.pod.uid":"other"}'])("takes no pod's annotation for its own notes: %s", async (value) => {
  const annotations = { note: 'kept', 'io.skiff.served.labels': value, 'io.skiff.served.log-directory': '/etc' };
  const target = createFakeRuntime({ clock: systemClock });
  const calls = createRuntimeCalls({
    target,
    clock: systemClock,
    log: silentLogger,
    imageMounts: createImageMounts(target, undefined),
  } as unknown as ServedParts) as unknown as CallByName;
  const call = async (name: string, request: object) => (await calls[name]?.(request, never)) as { podSandboxId: string };

  const config = sandboxConfig({ annotations });
  const wire = { portMappings: [], logDirectory: '', dnsConfig: null, ...toWireSandboxConfig(config) };
  const { podSandboxId } = await call('RunPodSandbox', { config: wire, runtimeHandler: '' });
  const told = { annotations: { note: 'kept' }, labels: config.labels };
  expect(await call('ListPodSandbox', { filter: null })).toMatchObject({ items: [told] });
  expect(await call('PodSandboxStatus', { podSandboxId, verbose: false })).toMatchObject({ status: told });
  expect((await target.runtime.podSandboxStatus(podSandboxId)).annotations).toEqual({ note: 'kept' });

  await target.images.pullImage('fake:1', undefined, never);
  // Whoever wrote it: the others are listed.
  await target.runtime.createContainer(podSandboxId, containerConfig('fake:1', ['pause'], { annotations }));
  expect(await call('ListContainers', { filter: null })).toMatchObject({ containers: [{ annotations: { note: 'kept' } }] });
});

it('answers for a removal without waiting for what is swept after it', async () => {
  const target = createFakeRuntime({ clock: systemClock });
  let swept = 0;
  const calls = createRuntimeCalls({
    target,
    clock: systemClock,
    imageMounts: { sweep: () => Promise.reject(new Error('a file can’t be removed')) },
    sweepImages: () => swept++,
  } as unknown as ServedParts) as unknown as CallByName;
  const { id } = await target.runtime.runPodSandbox(sandboxConfig(), { signal: never });
  await target.images.pullImage('fake:1', undefined, never);
  const containerId = await target.runtime.createContainer(id, containerConfig('fake:1', ['pause']));
  expect(await calls['RemoveContainer']?.({ containerId }, never)).toEqual({});
  expect(await calls['RemovePodSandbox']?.({ podSandboxId: id }, never)).toEqual({});
  expect(swept).toBe(2);
});
