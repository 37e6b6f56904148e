import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { ContainerConfig } from './container.ts';
import type { ContainerRuntime, RuntimeEvent } from './contract.ts';
import { isRuntimeError, type RuntimeErrorKind } from './runtime-error.ts';
import type { PodSandboxConfig } from './sandbox.ts';

/** A runtime under test and the argvs that make an image's processes behave. */
export interface RuntimeSubject extends AsyncDisposable {
  readonly runtime: ContainerRuntime;
  /** An image that is there or can be pulled. */
  readonly image: string;
  readonly programs: {
    readonly untilStopped: readonly string[];
    /** Prints a line when it does. */
    readonly ignoresTerm: readonly string[];
    readonly exits: (code: number) => readonly string[];
    readonly prints: (...lines: readonly string[]) => readonly string[];
    readonly complains: (line: string) => readonly string[];
    readonly copiesInput: readonly string[];
    readonly missing: readonly string[];
  };
}

let sequence = 0;
export const sandboxConfig = (over: Partial<PodSandboxConfig> = {}): PodSandboxConfig => {
  const n = `${process.pid.toString(36)}-${++sequence}`;
  return {
    metadata: { name: `pod-${n}`, namespace: 'conformance', uid: `uid-${n}`, attempt: 0 },
    hostname: `pod-${n}`,
    labels: { app: 'conformance' },
    annotations: { note: 'a "quoted" value' },
    // For runtimes that have to be told; nobody wires it.
    addresses: ['192.0.2.1'],
    runtimeHandler: '',
    namespaces: { network: 'pod', pid: 'container', ipc: 'pod' },
    sysctls: {},
    seccomp: { type: 'RuntimeDefault' },
    oomScoreAdj: 0,
    ...over,
  };
};

export const containerConfig = (image: string, argv: readonly string[], over: Partial<ContainerConfig> = {}): ContainerConfig => ({
  metadata: { name: 'main', attempt: 0 },
  image,
  command: argv,
  args: [],
  envs: [],
  mounts: [],
  devices: [],
  labels: { role: 'test' },
  annotations: { restart: '0' },
  stdin: false,
  stdinOnce: false,
  tty: false,
  resources: {},
  securityContext: {
    privileged: false,
    addCapabilities: [],
    dropCapabilities: [],
    pid: 'container',
    supplementalGroups: [],
    readOnlyRootFilesystem: false,
    noNewPrivileges: false,
    unmaskedProc: false,
    seccomp: { type: 'RuntimeDefault' },
  },
  ...over,
});

const kindOf = async (promise: Promise<unknown>): Promise<RuntimeErrorKind | 'none' | 'other'> => {
  try {
    await promise;
    return 'none';
  } catch (error) {
    return isRuntimeError(error) ? error.kind : 'other';
  }
};

/** The behaviour every ContainerRuntime has; run it on each implementation, the fake included. */
export function describeContainerRuntime(name: string, make: () => Promise<RuntimeSubject>): void {
  describe(`ContainerRuntime: ${name}`, () => {
    let subject: RuntimeSubject;
    const never = new AbortController().signal;
    beforeAll(async () => {
      subject = await make();
      await subject.runtime.images.pullImage(subject.image, undefined, never).catch(async (error: unknown) => {
        if ((await subject.runtime.images.imageStatus(subject.image)) === undefined) throw error;
      });
    });
    afterAll(async () => {
      await subject[Symbol.asyncDispose]();
    });

    const withSandbox = async (
      use: (sandboxId: string, config: PodSandboxConfig) => Promise<void>,
      over: Partial<PodSandboxConfig> = {},
    ) => {
      const config = sandboxConfig(over);
      const sandbox = await subject.runtime.runtime.runPodSandbox(config, { signal: never });
      try {
        await use(sandbox.id, config);
      } finally {
        await subject.runtime.runtime.stopPodSandbox(sandbox.id);
        await subject.runtime.runtime.removePodSandbox(sandbox.id);
      }
    };
    const run = async (sandboxId: string, argv: readonly string[], over: Partial<ContainerConfig> = {}): Promise<string> => {
      const id = await subject.runtime.runtime.createContainer(sandboxId, containerConfig(subject.image, argv, over));
      await subject.runtime.runtime.startContainer(id);
      return id;
    };

    it('runs, lists, stops and removes a sandbox', async () => {
      const { runtime } = subject.runtime;
      const config = sandboxConfig();
      let announced = '';
      const status = await runtime.runPodSandbox(config, { signal: never, onCreated: (id) => (announced = id) });
      expect(announced).toBe(status.id);
      expect(status.state).toBe('ready');
      expect(status.metadata).toEqual(config.metadata);
      expect(status.labels).toMatchObject(config.labels);
      expect(status.annotations).toMatchObject(config.annotations);
      expect((await runtime.listPodSandbox({ podUid: config.metadata.uid })).map((s) => s.id)).toEqual([status.id]);
      expect((await runtime.listPodSandbox({ podUid: 'another' })).length).toBe(0);
      await runtime.stopPodSandbox(status.id);
      await runtime.stopPodSandbox(status.id);
      expect((await runtime.podSandboxStatus(status.id)).state).toBe('not-ready');
      expect((await runtime.listPodSandbox({ podUid: config.metadata.uid, state: 'ready' })).length).toBe(0);
      await runtime.removePodSandbox(status.id);
      await runtime.removePodSandbox(status.id);
      expect(await kindOf(runtime.podSandboxStatus(status.id))).toBe('not-found');
    });

    it('refuses a handler that it does not have', async () => {
      const { runtime } = subject.runtime;
      expect(await kindOf(runtime.runPodSandbox(sandboxConfig({ runtimeHandler: 'no-such-handler' }), { signal: never }))).toBe('invalid');
    });

    it('takes a container through its states and reports its exit', () =>
      withSandbox(async (sandboxId, config) => {
        const { runtime } = subject.runtime;
        const id = await runtime.createContainer(sandboxId, containerConfig(subject.image, subject.programs.untilStopped));
        const created = await runtime.containerStatus(id);
        expect(created).toMatchObject({
          state: 'created',
          podSandboxId: sandboxId,
          metadata: { name: 'main', attempt: 0 },
          startedAtMs: 0,
        });
        expect(created.labels).toMatchObject({ role: 'test' });
        expect(created.annotations).toMatchObject({ restart: '0' });
        await runtime.startContainer(id);
        expect(await runtime.containerStatus(id)).toMatchObject({ state: 'running', finishedAtMs: 0, reason: '' });
        expect((await runtime.listContainers({ podUid: config.metadata.uid })).map((c) => [c.id, c.state])).toEqual([[id, 'running']]);
        // The first process of a container misses a signal that comes before it has set what to do then.
        const asking = setInterval(() => void runtime.signalContainer(id, 'SIGTERM').catch(() => undefined), 500);
        await runtime.signalContainer(id, 'SIGTERM');
        await runtime.waitContainer(id, never).finally(() => clearInterval(asking));
        const exited = await runtime.containerStatus(id);
        expect(exited.state).toBe('exited');
        expect(exited.finishedAtMs).toBeGreaterThanOrEqual(exited.startedAtMs);
        // Whatever a runtime still counts: asking is no failure.
        await Promise.all([runtime.containerStats(id), runtime.containerFilesystem(id)]);
        await runtime.signalContainer(id, 'SIGTERM');
        await runtime.removeContainer(id);
        await runtime.removeContainer(id);
        expect(await kindOf(runtime.containerStatus(id))).toBe('not-found');
      }));

    it('tells exit codes and reasons apart', () =>
      withSandbox(async (sandboxId) => {
        const { runtime } = subject.runtime;
        for (const [code, reason] of [
          [0, 'Completed'],
          [7, 'Error'],
        ] as const) {
          const id = await run(sandboxId, subject.programs.exits(code), { metadata: { name: `exit-${code}`, attempt: 0 } });
          await runtime.waitContainer(id, never);
          expect(await runtime.containerStatus(id)).toMatchObject({ state: 'exited', exitCode: code, reason });
        }
        const missing = await runtime.createContainer(sandboxId, containerConfig(subject.image, subject.programs.missing));
        expect(await kindOf(runtime.startContainer(missing))).toBe('start');
        const status = await runtime.containerStatus(missing);
        expect(status).toMatchObject({ state: 'exited', reason: 'StartError' });
        expect(status.exitCode).not.toBe(0);
        expect(status.message).not.toBe('');
      }));

    it('kills what ignores its stop signal', () =>
      withSandbox(async (sandboxId) => {
        const { runtime } = subject.runtime;
        const id = await run(sandboxId, subject.programs.ignoresTerm);
        // Until the program runs, a signal is for what starts it, which would end.
        for await (const _ of runtime.containerLogs(id, { follow: true, signal: never })) break;
        await runtime.signalContainer(id, 'SIGTERM');
        const giveUp = new AbortController();
        const waiting = runtime.waitContainer(id, giveUp.signal);
        giveUp.abort(new Error('enough'));
        await expect(waiting).rejects.toThrow('enough');
        expect((await runtime.containerStatus(id)).state).toBe('running');
        await runtime.signalContainer(id, 'SIGKILL');
        await runtime.waitContainer(id, never);
        expect((await runtime.containerStatus(id)).exitCode).toBe(137);
      }));

    it('keeps attempts apart', () =>
      withSandbox(async (sandboxId, config) => {
        const { runtime } = subject.runtime;
        const first = await run(sandboxId, subject.programs.exits(1));
        await runtime.waitContainer(first, never);
        const second = await run(sandboxId, subject.programs.untilStopped, { metadata: { name: 'main', attempt: 1 } });
        const listed = await runtime.listContainers({ podUid: config.metadata.uid });
        expect(new Map(listed.map((c) => [c.id, c.metadata.attempt]))).toEqual(
          new Map([
            [first, 0],
            [second, 1],
          ]),
        );
      }));

    it('reads logs: both streams, tail, and following to the end', () =>
      withSandbox(async (sandboxId) => {
        const { runtime } = subject.runtime;
        const collect = async (id: string, o: { follow: boolean; tailLines?: number }): Promise<string> => {
          let all = '';
          for await (const l of runtime.containerLogs(id, { ...o, signal: never })) all += `${l.stream}:${l.line.toString()}`;
          return all;
        };
        const out = await run(sandboxId, subject.programs.prints('one', 'two', 'three'), { metadata: { name: 'out', attempt: 0 } });
        await runtime.waitContainer(out, never);
        expect((await collect(out, { follow: false })).replaceAll('stdout:', '')).toBe('one\ntwo\nthree\n');
        expect(await collect(out, { follow: true, tailLines: 1 })).toContain('three\n');
        const err = await run(sandboxId, subject.programs.complains('oh'), { metadata: { name: 'err', attempt: 0 } });
        await runtime.waitContainer(err, never);
        expect(await collect(err, { follow: false })).toBe('stderr:oh\n');
        const live = await run(sandboxId, subject.programs.untilStopped, { metadata: { name: 'live', attempt: 0 } });
        const following = collect(live, { follow: true });
        await runtime.signalContainer(live, 'SIGKILL');
        expect(await following).toBe('');
      }));

    it('executes commands in a running container', () =>
      withSandbox(async (sandboxId) => {
        const { runtime } = subject.runtime;
        const id = await run(sandboxId, subject.programs.untilStopped);
        const o = { timeoutMs: 20_000, signal: never };
        const printed = await runtime.execSync(id, subject.programs.prints('hello'), o);
        expect([printed.exitCode, printed.stdout.toString(), printed.stderr.toString()]).toEqual([0, 'hello\n', '']);
        const failed = await runtime.execSync(id, subject.programs.complains('no'), o);
        expect([failed.exitCode, failed.stderr.toString()]).toEqual([1, 'no\n']);
        expect(await kindOf(runtime.execSync(id, subject.programs.untilStopped, { timeoutMs: 200, signal: never }))).toBe('timeout');
        const cat = await runtime.exec(id, { command: subject.programs.copiesInput, tty: false, stdin: true });
        const answer = text(cat.stdout);
        cat.stdin?.write('half-');
        cat.stdin?.end('close');
        cat.stderr?.resume();
        expect(await answer).toBe('half-close');
        expect(await cat.exitCode).toBe(0);
      }));

    it('attaches to a running container', () =>
      withSandbox(async (sandboxId) => {
        const { runtime } = subject.runtime;
        const id = await run(sandboxId, subject.programs.copiesInput, { stdin: true, stdinOnce: true });
        const streams = await runtime.attach(id, { stdin: true, stdout: true, stderr: true, tty: false });
        const answer = text(streams.stdout);
        streams.stderr?.resume();
        streams.stdin?.end('to and fro');
        expect(await answer).toBe('to and fro');
        await runtime.waitContainer(id, never);
        streams.close();
      }));

    it('says what is not there', async () => {
      const { runtime, images } = subject.runtime;
      const none = '0'.repeat(63).concat('f');
      expect(await kindOf(runtime.containerStatus(none))).toBe('not-found');
      expect(await kindOf(runtime.createContainer(none, containerConfig(subject.image, [])))).toBe('not-found');
      expect(await images.imageStatus('no-such-image:1')).toBeUndefined();
      await runtime.signalContainer(none, 'SIGTERM');
      await runtime.waitContainer(none, never);
      expect((await images.imageStatus(subject.image))?.repoTags).toContain(subject.image);
    });

    it('announces deaths, after a resync', async () => {
      const { runtime } = subject.runtime;
      const stop = new AbortController();
      const seen: RuntimeEvent[] = [];
      let uid = '';
      const following = (async () => {
        for await (const e of runtime.events(stop.signal)) {
          seen.push(e);
          if (e.type === 'died' && e.podUid === uid) stop.abort();
        }
      })();
      while (seen.length === 0) await new Promise((resolve) => setImmediate(resolve));
      await withSandbox(async (sandboxId, config) => {
        uid = config.metadata.uid;
        const id = await run(sandboxId, subject.programs.untilStopped);
        await runtime.signalContainer(id, 'SIGKILL');
        await following;
        expect(seen[0]).toEqual({ type: 'resync' });
        expect(seen.some((e) => e.type === 'died' && e.id === id)).toBe(true);
      });
    });
  });
}
