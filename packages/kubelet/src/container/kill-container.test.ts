import { describe, expect, it } from 'vitest';
import { FakeClock, silentLogger } from '@skiff/component-base';
import { containerConfig, sandboxConfig } from '@skiff/cri/conformance';
import { createFakeRuntime } from '@skiff/cri/fake';
import type { Container } from '@skiff/api';
import { snapshotPod, type PodSnapshot } from '../pod/pod-snapshot.ts';
import { Deadline } from './deadline.ts';
import { killContainer, planTurns } from './kill-container.ts';

const podOf = (containers: Container[], initContainers: Container[] = []): PodSnapshot =>
  snapshotPod({ metadata: { name: 'p', namespace: 'n', uid: 'u' }, spec: { containers, initContainers } }) as PodSnapshot;

async function setUp(program: string, container: Container) {
  const clock = new FakeClock();
  const hooks: string[] = [];
  const fake = createFakeRuntime({
    clock,
    programs: { hook: (p) => (hooks.push('ran'), p.exit(0)), fails: (p) => p.exit(1), hangs: () => undefined },
  });
  const never = new AbortController().signal;
  const sandbox = await fake.runtime.runPodSandbox(sandboxConfig(), { signal: never });
  await fake.images.pullImage('fake:1', undefined, never);
  const id = await fake.runtime.createContainer(
    sandbox.id,
    containerConfig('fake:1', [program], { metadata: { name: container.name, attempt: 0 } }),
  );
  await fake.runtime.startContainer(id);
  const events: string[] = [];
  const deps = {
    runtime: fake.runtime,
    clock,
    log: silentLogger,
    event: (_p: PodSnapshot, c: string, _t: string, reason: string) => events.push(`${reason} ${c}`),
  };
  const deadline = new Deadline(clock, 10_000);
  const startMs = clock.now();
  const stop = new AbortController();
  const killing = fake.runtime
    .containerStatus(id)
    .then((status) =>
      killContainer(
        { pod: podOf([container]), spec: container, status, podIP: '127.0.0.1', message: '', deadline, signal: stop.signal },
        deps,
      ),
    )
    .then(() => clock.now() - startMs);
  return { clock, fake, id, events, hooks, deadline, killing, stop };
}

describe('killContainer', () => {
  it('asks first, and is done when the process goes', async () => {
    const { clock, fake, events, killing } = await setUp('pause', { name: 'c' });
    await clock.advance(1);
    expect(await killing).toBeLessThanOrEqual(1);
    expect(events).toEqual(['Killing c']);
    expect(fake.calls.filter((c) => c.startsWith('signal'))).toEqual(['signalContainer c SIGTERM']);
  });

  it('leaves the container alone when the kubelet ends', async () => {
    const { clock, fake, id, killing, stop } = await setUp('stubborn', { name: 'c' });
    await clock.advance(1000);
    stop.abort(new Error('SIGTERM'));
    await expect(killing).rejects.toThrow('SIGTERM');
    await clock.advance(20_000);
    expect((await fake.runtime.containerStatus(id)).state).toBe('running');
    expect(fake.calls.filter((c) => c.startsWith('signal'))).toEqual(['signalContainer c SIGTERM']);
  });

  it('kills when the grace is over', async () => {
    const { clock, fake, id, killing } = await setUp('stubborn', { name: 'c' });
    await clock.advance(9_999);
    expect((await fake.runtime.containerStatus(id)).state).toBe('running');
    await clock.advance(1);
    expect(await killing).toBe(10_000);
    expect((await fake.runtime.containerStatus(id)).exitCode).toBe(137);
  });

  it('lets the grace shrink on the way', async () => {
    const { clock, deadline, killing } = await setUp('stubborn', { name: 'c' });
    await clock.advance(3_000);
    deadline.shrinkTo(1_000);
    deadline.shrinkTo(60_000);
    await clock.advance(1_000);
    expect(await killing).toBe(4_000);
  });

  it('counts the preStop hook against the grace, and gives up on it', async () => {
    const ran = await setUp('pause', { name: 'c', lifecycle: { preStop: { exec: { command: ['hook'] } } } });
    await ran.clock.advance(1);
    await ran.killing;
    expect(ran.hooks).toEqual(['ran']);
    const hung = await setUp('stubborn', { name: 'c', lifecycle: { preStop: { exec: { command: ['hangs'] } } } });
    await hung.clock.advance(12_000);
    expect(await hung.killing).toBe(12_000);
    const failed = await setUp('pause', { name: 'c', lifecycle: { preStop: { exec: { command: ['fails'] } } } });
    await failed.clock.advance(1);
    await failed.killing;
    expect(failed.events).toEqual(['Killing c', 'FailedPreStopHook c']);
  });

  it('stops sidecars last, in reverse', async () => {
    const pod = podOf([{ name: 'a' }], [{ name: 's1', restartPolicy: 'Always' }, { name: 'i' }, { name: 's2', restartPolicy: 'Always' }]);
    const turns = planTurns(pod, ['a', 's1', 's2']);
    const order: string[] = [];
    expect(turns.turn('a')).toBeUndefined();
    const waiting = ['s1', 's2'].map((name) =>
      turns.turn(name)?.then(() => {
        order.push(name);
        turns.ended(name);
      }),
    );
    await new Promise((resolve) => setImmediate(resolve));
    expect(order).toEqual([]);
    turns.ended('a');
    await Promise.all(waiting.map((w) => w ?? Promise.resolve()));
    expect(order).toEqual(['s2', 's1']);
  });
});
