import { silentLogger } from '@skiff/component-base';
import { expect, it } from 'vitest';
import { createCsiDrivers } from './csi-drivers.ts';

it('a driver that is gone is taken off its node, once the API answers', async () => {
  const calls: string[] = [];
  const record = {
    ensure: async () => undefined,
    install: async () => undefined,
    uninstall: async (name: string) => {
      calls.push(name);
      if (calls.length === 1) throw new Error('the API does not answer');
    },
  };
  const drivers = createCsiDrivers({ record, onRegistered: () => undefined, log: silentLogger });
  const plugin = { type: 'CSIPlugin', name: 'd', endpoint: '/d.sock', supportedVersions: ['1.0.0'] };
  await expect(drivers.deregister(plugin)).rejects.toThrow('does not answer');
  await drivers.deregister(plugin);
  expect(calls).toEqual(['d', 'd']);
});
