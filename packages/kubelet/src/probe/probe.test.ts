import http from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FakeClock, silentLogger } from '@skiff/component-base';
import { createFakeRuntime } from '@skiff/cri/fake';
import { containerConfig, sandboxConfig } from '@skiff/cri/conformance';
import type { Container, Probe } from '@skiff/api';
import { snapshotPod, type PodSnapshot } from '../pod/pod-snapshot.ts';
import { decodeResponse, encodeRequest } from './grpc-health.ts';
import { createProbeManager } from './probe-manager.ts';
import { advanceProbe, initialProbeState, type ProbeType } from './probe-state.ts';
import { runProbe } from './run-probe.ts';

describe('advanceProbe', () => {
  const probe: Probe = { successThreshold: 2, failureThreshold: 3 };
  it.each<[ProbeType, string, string]>([
    ['readiness', 'SS', 'success'],
    ['readiness', 'SSFF', 'success'],
    ['readiness', 'SSFFSFF', 'success'],
    ['readiness', 'SSFFF', 'failure'],
    ['readiness', 'S', 'failure'],
    ['liveness', '', 'success'],
    ['liveness', 'FF', 'success'],
    ['liveness', 'FFF', 'failure'],
    ['startup', 'FFS', 'unknown'],
    ['startup', 'FFF', 'failure'],
  ])('%s after %s is %s', (type, results, expected) => {
    const state = results.split('').reduce((s, r) => advanceProbe(s, r === 'S' ? 'success' : 'failure', probe), initialProbeState(type));
    expect(state.reading).toBe(expected);
  });
});

describe('runProbe', () => {
  let server: http.Server;
  let port = 0;
  const never = new AbortController().signal;
  beforeAll(async () => {
    server = http.createServer((request, response) => {
      if (request.url === '/slow') return;
      if (request.url === '/redirect') response.writeHead(302, { location: '/ok' });
      else if (request.url === '/away') response.writeHead(302, { location: 'http://example.invalid/' });
      else response.writeHead(request.url === '/ok' ? 200 : 500);
      response.end(`seen ${request.headers['user-agent'] ?? ''}`);
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    port = (server.address() as AddressInfo).port;
  });
  afterAll(() => {
    server.closeAllConnections();
    server.close();
  });
  const run = (probe: Probe, timeoutMs = 20_000) =>
    runProbe(
      probe,
      { container: { name: 'c', ports: [{ name: 'web', containerPort: port }] }, containerId: 'x', podIP: '127.0.0.1' },
      { runtime: createFakeRuntime({ clock: { now: () => 0 } }).runtime, timeoutMs, signal: never },
    );

  it('asks by HTTP', async () => {
    expect(await run({ httpGet: { path: '/ok', port: 'web' } })).toEqual({ outcome: 'success', output: 'seen kube-probe/1.36' });
    expect(await run({ httpGet: { path: '/redirect', port } })).toMatchObject({ outcome: 'success' });
    expect(await run({ httpGet: { path: '/away', port } })).toMatchObject({ outcome: 'warning' });
    expect(await run({ httpGet: { path: '/none', port } })).toEqual({
      outcome: 'failure',
      output: 'HTTP probe failed with statuscode: 500',
    });
    expect(await run({ httpGet: { path: '/slow', port } }, 50)).toMatchObject({
      outcome: 'failure',
      output: expect.stringContaining('context deadline exceeded') as string,
    });
    expect(await run({ httpGet: { path: '/', port: 1 } })).toMatchObject({
      outcome: 'failure',
      output: 'Get "http://127.0.0.1:1/": dial tcp 127.0.0.1:1: connect: connection refused',
    });
    expect(await run({ httpGet: { port: 'none' } })).toMatchObject({ outcome: 'failure' });
  });

  it('asks by TCP', async () => {
    expect(await run({ tcpSocket: { port } })).toEqual({ outcome: 'success', output: '' });
    expect(await run({ tcpSocket: { port: 1 } })).toEqual({
      outcome: 'failure',
      output: 'dial tcp 127.0.0.1:1: connect: connection refused',
    });
  });

  it('speaks the gRPC health protocol', async () => {
    expect(encodeRequest('ab')).toEqual(Buffer.from([0x0a, 2, 0x61, 0x62]));
    expect(decodeResponse(Buffer.from([0x08, 1]))).toBe('SERVING');
    expect(await run({ grpc: { port: 1 } }, 300)).toMatchObject({ outcome: 'failure' });
  });
});

describe('probe manager', () => {
  it('runs the startup probe first, waits out the initial delay and counts', async () => {
    const clock = new FakeClock();
    const answers = { startup: 1, readiness: 1 };
    const fake = createFakeRuntime({
      clock,
      programs: { startup: (p) => p.exit(answers.startup), readiness: (p) => p.exit(answers.readiness) },
    });
    const signal = new AbortController();
    const sandbox = await fake.runtime.runPodSandbox(sandboxConfig(), { signal: signal.signal });
    await fake.images.pullImage('fake:1', undefined, signal.signal);
    const id = await fake.runtime.createContainer(sandbox.id, containerConfig('fake:1', ['pause']));
    await fake.runtime.startContainer(id);
    const container: Container = {
      name: 'c',
      startupProbe: { exec: { command: ['startup'] }, periodSeconds: 1, failureThreshold: 10, initialDelaySeconds: 5 },
      readinessProbe: { exec: { command: ['readiness'] }, periodSeconds: 2, failureThreshold: 1 },
    };
    const pod = snapshotPod({ metadata: { name: 'p', namespace: 'n', uid: 'u' }, spec: { containers: [container] } }) as PodSnapshot;
    const changes: string[] = [];
    const events: string[] = [];
    const manager = createProbeManager({
      runtime: fake.runtime,
      clock,
      log: silentLogger,
      signal: signal.signal,
      event: (_pod, _container, _type, reason, message) => events.push(`${reason} ${message}`),
      onChange: (uid) => changes.push(uid),
    });
    manager.start({ pod, container, containerId: id, startedAtMs: clock.now(), podIP: '127.0.0.1' });
    await clock.advance(4_900);
    expect(events).toEqual([]);
    await clock.advance(1_200);
    expect(events[0]).toBe('Unhealthy Startup probe failed: ');
    expect([manager.reading(id, 'startup'), manager.reading(id, 'readiness'), manager.reading(id, 'liveness')]).toEqual([
      'unknown',
      'failure',
      undefined,
    ]);
    answers.startup = 0;
    answers.readiness = 0;
    await clock.advance(3_000);
    expect([manager.reading(id, 'startup'), manager.reading(id, 'readiness')]).toEqual(['success', 'success']);
    expect(changes).toEqual(['u', 'u']);
    answers.readiness = 1;
    await clock.advance(3_000);
    expect(manager.reading(id, 'readiness')).toBe('failure');
    manager.keepOnly('u', new Set());
    expect(manager.reading(id, 'readiness')).toBeUndefined();
    await clock.advance(0);
    await manager.stopped();
    signal.abort();
  });
});
