import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { AuditBackendConfig, AuditConfig } from '../src/audit/config.ts';
import { createRegistry } from '../src/registry/registry.ts';
import { startTestServer } from './test-server.ts';

interface AuditLine {
  auditID: string;
  stage: string;
  level: string;
  requestURI: string;
  user: { username?: string };
  impersonatedUser?: { username: string; groups: string[] };
  sourceIPs: string[];
  objectRef?: Record<string, string>;
  responseStatus?: { code: number; reason?: string; status?: string };
  requestObject?: { kind?: string; data?: Record<string, string>; metadata?: object };
  responseObject?: { kind: string; metadata: { managedFields?: unknown } };
  annotations?: Record<string, string>;
}

const backend: AuditBackendConfig = {
  mode: 'blocking',
  batch: { bufferSize: 100, maxSize: 10, maxWaitMs: 10, throttle: undefined },
  truncate: undefined,
};
const policy = `
apiVersion: audit.k8s.io/v1
kind: Policy
omitManagedFields: true
rules:
- {level: None, users: ["system:apiserver"]}
- {level: Metadata, resources: [{group: "", resources: [secrets]}]}
- {level: RequestResponse}
`;

let folder: string;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'skiff-audit-'));
  await writeFile(join(folder, 'policy.yaml'), policy);
});
afterAll(() => rm(folder, { recursive: true }));

const logTo = (path: string): AuditConfig => ({
  policyFile: join(folder, 'policy.yaml'),
  log: { ...backend, path, maxAgeDays: 0, maxBackups: 0, maxSizeMegabytes: 0, format: 'json', compress: false },
  webhook: undefined,
});
const json = { 'content-type': 'application/json' };

describe('audit', () => {
  it('records who did what, with what the policy wants of it', async () => {
    const path = join(folder, 'audit.log');
    const server = await startTestServer(createRegistry, { audit: logTo(path) });
    const secretBody = JSON.stringify({ kind: 'Secret', apiVersion: 'v1', metadata: { name: 's' }, stringData: { password: 'canary' } });
    await server.fetch('/api/v1/namespaces/default/secrets', { method: 'POST', headers: { ...json, 'audit-id': 'one' }, body: secretBody });
    const mapBody = JSON.stringify({ kind: 'ConfigMap', apiVersion: 'v1', metadata: { name: 'm' }, data: { a: 'b' } });
    await server.fetch('/api/v1/namespaces/default/configmaps', { method: 'POST', headers: { ...json, 'audit-id': 'two' }, body: mapBody });
    await server.fetch('/api/v1/namespaces/default/configmaps/m', { method: 'DELETE', headers: { 'audit-id': 'three' } });
    const as = { 'impersonate-user': 'bob', 'impersonate-group': 'g', 'audit-id': 'four', 'x-forwarded-for': '192.0.2.9, nonsense' };
    expect((await server.fetch('/api/v1/nodes', { headers: as })).code).toBe(403);
    const bad = await server.fetch('/api/v1/nodes', { identity: undefined, headers: { authorization: 'Bearer x', 'audit-id': 'five' } });
    expect(bad.headers['audit-id']).toBe('five');
    await server.fetch('/api/v1/namespaces/default/configmaps?watch=1&timeoutSeconds=1', { headers: { 'audit-id': 'six' } });
    await server.fetch('/api/v1/namespaces?timeout=never', { headers: { 'audit-id': 'seven' } });
    await server[Symbol.asyncDispose]();

    const text = await readFile(path, 'utf8');
    expect(text).not.toContain('canary');
    const lines = text
      .trimEnd()
      .split('\n')
      .map((line) => JSON.parse(line) as AuditLine);
    const of = (id: string): AuditLine[] => lines.filter((l) => l.auditID === id);
    const stages = (id: string): string[] => of(id).map((l) => l.stage);
    expect(of('one').at(-1)).toMatchObject({ level: 'Metadata', objectRef: { name: 's' }, responseStatus: { code: 201 } });
    expect(of('two').at(-1)).toMatchObject({
      user: { username: 'kubernetes-admin' },
      requestObject: { kind: 'ConfigMap', data: { a: 'b' } },
      responseObject: { kind: 'ConfigMap' },
      annotations: { 'authorization.k8s.io/decision': 'allow', 'authorization.k8s.io/reason': '' },
    });
    expect(of('two').at(-1)?.responseObject?.metadata).not.toHaveProperty('managedFields');
    expect(of('three').at(-1)?.responseStatus).toMatchObject({ code: 200, status: 'Success' });
    expect(of('four').at(-1)).toMatchObject({
      user: { username: 'kubernetes-admin' },
      impersonatedUser: { username: 'bob', groups: ['g', 'system:authenticated'] },
      sourceIPs: ['192.0.2.9', '127.0.0.1'],
      responseStatus: { code: 403, reason: 'Forbidden' },
      annotations: { 'authorization.k8s.io/decision': 'forbid' },
    });
    expect(of('five')).toMatchObject([{ stage: 'ResponseStarted', user: {}, responseStatus: { code: 401 } }]);
    expect(stages('six')).toEqual(['RequestReceived', 'ResponseStarted', 'ResponseComplete']);
    expect(of('seven')).toMatchObject([{ stage: 'ResponseStarted', user: {}, responseStatus: { code: 400 } }]);
  });

  it('sends events to a webhook, and a hanging one holds up nobody', async () => {
    const received: { kind: string; items: AuditLine[] }[] = [];
    let hang = false;
    const webhook: Server = createServer((request, response) => {
      if (hang) return;
      const pieces: Buffer[] = [];
      request.on('data', (p: Buffer) => pieces.push(p));
      request.on('end', () => {
        received.push(JSON.parse(Buffer.concat(pieces).toString()) as (typeof received)[number]);
        response.end('{}');
      });
    });
    await new Promise<void>((resolve) => webhook.listen(0, '127.0.0.1', resolve));
    const url = `http://127.0.0.1:${(webhook.address() as AddressInfo).port}/audit`;
    const kubeconfig = {
      'current-context': 'a',
      contexts: [{ name: 'a', context: { cluster: 'a' } }],
      clusters: [{ name: 'a', cluster: { server: url } }],
    };
    await writeFile(join(folder, 'webhook.json'), JSON.stringify(kubeconfig));
    const server = await startTestServer(createRegistry, {
      audit: {
        policyFile: join(folder, 'policy.yaml'),
        log: undefined,
        webhook: { ...backend, mode: 'batch', configFile: join(folder, 'webhook.json'), initialBackoffMs: 10 },
      },
    });
    await server.fetch('/api/v1/nodes', { headers: { 'audit-id': 'hook' } });
    await expect.poll(() => received.flatMap((l) => l.items).filter((e) => e.auditID === 'hook')).toHaveLength(2);
    expect(received[0]?.kind).toBe('EventList');
    hang = true;
    for (let i = 0; i < 10; i++) expect((await server.fetch('/api/v1/nodes')).code).toBe(200);
    webhook.closeAllConnections();
    await new Promise<void>((resolve) => webhook.close(() => resolve()));
    await server[Symbol.asyncDispose]();
  });

  it('refuses requests that a strict back end can not record', async () => {
    const config = logTo(join(folder, 'strict.log'));
    if (config.log === undefined) throw new Error('no log');
    const truncate = { maxEventBytes: 1, maxBatchBytes: 1 };
    await expect(startTestServer(createRegistry, { audit: { ...config, policyFile: join(folder, 'nothing.yaml') } })).rejects.toThrow(
      'failed to read file path',
    );
    await using server = await startTestServer(createRegistry, {
      audit: { ...config, log: { ...config.log, mode: 'blocking-strict', path: '/dev/full' } },
    });
    const refused = await server.fetch('/api/v1/nodes');
    expect([refused.code, refused.text]).toEqual([500, expect.stringContaining('failed to store audit event')]);
    await using lenient = await startTestServer(createRegistry, {
      audit: { ...config, log: { ...config.log, truncate, path: '/dev/full' } },
    });
    expect((await lenient.fetch('/api/v1/nodes')).code).toBe(200);
  });
});
