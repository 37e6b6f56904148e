import type { JsonObject } from '@skiff/apimachinery';
import { afterEach, describe, expect, it } from 'vitest';
import { call, startRegistry, stopRegistries } from './registry.fixture.ts';

afterEach(stopRegistries);

const group = 'resource.k8s.io';
const exactly = (more: JsonObject): JsonObject => ({ devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c', ...more } }] } });

describe('claims of devices', () => {
  it('may ask for admin access in namespaces that allow it', async () => {
    const registry = await startRegistry();
    const namespace = (name: string, labels: JsonObject): Promise<unknown> =>
      call(registry, { verb: 'create', resource: 'namespaces', namespace: '', body: { metadata: { name, labels } } });
    await namespace('plain', { 'resource.kubernetes.io/admin-access': 'false' });
    await namespace('trusted', { 'resource.kubernetes.io/admin-access': 'true' });
    const spec = exactly({ adminAccess: true });
    for (const [resource, body] of [
      ['resourceclaims', { metadata: { name: 'x' }, spec }],
      ['resourceclaimtemplates', { metadata: { name: 'x' }, spec: { spec } }],
    ] as const) {
      const create = (name: string): Promise<{ code: number }> =>
        call(registry, { verb: 'create', group, resource, namespace: name, body });
      await expect(create('plain')).rejects.toMatchObject({
        reason: 'Invalid',
        message: expect.stringContaining(
          'spec.devices.requests[0].adminAccess: Forbidden: admin access to devices requires the `resource.kubernetes.io/admin-access: true` label',
        ) as unknown,
      });
      expect(await create('trusted')).toMatchObject({ code: 201 });
    }
  });

  it('are given admin access in such namespaces only', async () => {
    const registry = await startRegistry();
    const body = { metadata: { name: 'x' }, spec: exactly({}) };
    await call(registry, { verb: 'create', group, resource: 'resourceclaims', body });
    const allocate = (adminAccess: boolean): Promise<{ code: number }> => {
      const results = [{ request: 'r', driver: 'a.b', pool: 'p', device: 'd', adminAccess }];
      const status = { allocation: { devices: { results } } };
      const to = { resource: 'resourceclaims', name: 'x', subresource: 'status' };
      return call(registry, { verb: 'update', group, ...to, body: { ...body, status } });
    };
    await expect(allocate(true)).rejects.toMatchObject({
      message: expect.stringContaining('status.allocation.devices.results[0].adminAccess: Forbidden') as unknown,
    });
    expect(await allocate(false)).toMatchObject({ code: 200 });
  });

  it('select them by expressions that compile and cost little', async () => {
    const registry = await startRegistry();
    const select = (expression: string): Promise<{ code: number }> => {
      const body = { metadata: { name: 'x' }, spec: exactly({ selectors: [{ cel: { expression } }] }) };
      return call(registry, { verb: 'create', group, resource: 'resourceclaims', query: 'dryRun=All', body });
    };
    const field = 'spec.devices.requests[0].exactly.selectors[0].cel.expression';
    await expect(select('device.weight > 1')).rejects.toMatchObject({
      message: expect.stringContaining(`${field}: Invalid value: "device.weight > 1": compilation failed`) as unknown,
    });
    await expect(
      select('device.attributes.all(a, device.attributes.all(b, device.attributes.all(c, device.attributes.all(d, a == b))))'),
    ).rejects.toMatchObject({
      message: expect.stringContaining(`${field}: Forbidden: too complex, exceeds cost limit`) as unknown,
    });
    expect(await select('device.attributes["a.b"].weight > 1')).toMatchObject({ code: 201 });
  });
});
