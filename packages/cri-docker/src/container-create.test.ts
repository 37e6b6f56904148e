import { describe, expect, it } from 'vitest';
import { containerConfig, sandboxConfig } from '@skiff/cri/conformance';
import { defaultDockerRuntimeConfig } from './config.ts';
import { renderContainerCreate } from './container-create.ts';

const sandbox = { ...sandboxConfig(), id: 's', state: 'ready', createdAtMs: 0 } as const;
const render = (over: object, engine: { recursiveReadOnly: boolean; cdi: boolean }) =>
  renderContainerCreate({
    config: { ...containerConfig('image', ['true']), ...over },
    sandbox,
    runtime: defaultDockerRuntimeConfig,
    oomScoreFloor: -1000,
    cgroupParent: '/p',
    handler: '',
    user: { user: '', groups: [] },
    ...engine,
  });
const able = { recursiveReadOnly: true, cdi: true };
const old = { recursiveReadOnly: false, cdi: false };

describe('what needs a newer engine', () => {
  const cdi = { cdiDevices: ['vendor.com/class=one'] };
  const readOnly = { mounts: [{ hostPath: '/h', containerPath: '/c', readOnly: true, recursiveReadOnly: true, propagation: 'private' }] };

  it('is handed on where the engine has it', async () => {
    expect((await render(cdi, able)).HostConfig?.DeviceRequests).toEqual([{ Driver: 'cdi', DeviceIDs: ['vendor.com/class=one'] }]);
    expect((await render({}, able)).HostConfig?.DeviceRequests).toBeUndefined();
    expect((await render(readOnly, able)).HostConfig?.Mounts?.[0]?.BindOptions).toMatchObject({ ReadOnlyForceRecursive: true });
  });
  it.each([
    ['CDI', cdi, 'devices by CDI names need Docker Engine 25 or newer'],
    ['recursive read-only mounts', readOnly, 'recursive read-only mounts need Docker Engine 25 or newer'],
  ])('is refused where it has not: %s', async (_name, over, message) => {
    await expect(render(over, old)).rejects.toThrow(message);
  });
});
