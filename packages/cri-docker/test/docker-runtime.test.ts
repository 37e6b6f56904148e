import { access } from 'node:fs/promises';
import Docker from 'dockerode';
import { afterAll, describe, expect, it } from 'vitest';
import { containerConfig, describeContainerRuntime, sandboxConfig } from '@skiff/cri/conformance';
import { createDockerRuntime, defaultDockerRuntimeConfig } from '../src/index.ts';
import { busybox, image, importBusybox } from './busybox-image.ts';

const socketPath = '/var/run/docker.sock';
const instance = `cri-test-${process.pid}`;
const missing = await Promise.all([access(socketPath), access(busybox)]).then(
  () => undefined,
  (error: Error) => error.message,
);
if (missing !== undefined) console.warn(`SKIPPED: the Docker runtime's tests need Docker Engine and a static busybox: ${missing}`);

describe.skipIf(missing !== undefined)('Docker Engine', () => {
  const docker = new Docker({ socketPath });
  const made = createDockerRuntime({ ...defaultDockerRuntimeConfig, instance });
  const never = new AbortController().signal;

  const sweep = async (): Promise<void> => {
    const left = await docker.listContainers({ all: true, filters: { label: [`io.skiff.instance=${instance}`] } });
    await Promise.all(left.map((c) => docker.getContainer(c.Id).remove({ force: true, v: true })));
  };
  afterAll(sweep);

  describeContainerRuntime('docker', async () => {
    await importBusybox(docker);
    return {
      runtime: made,
      image,
      programs: {
        untilStopped: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.05; done'],
        ignoresTerm: ['sh', '-c', 'trap "" TERM; echo deaf; while :; do sleep 0.05; done'],
        exits: (code) => ['sh', '-c', `exit ${code}`],
        prints: (...lines) => ['sh', '-c', `printf '%s\\n' ${lines.join(' ')}`],
        complains: (line) => ['sh', '-c', `echo ${line} >&2; exit 1`],
        copiesInput: ['cat'],
        missing: ['/no/such/program'],
      },
      [Symbol.asyncDispose]: async () => {
        await sweep();
        made.close();
      },
    };
  });

  it('gives a sandbox an empty network, its host name and a process that reaps', async () => {
    const config = sandboxConfig({ hostname: 'my-host', namespaces: { network: 'pod', pid: 'pod', ipc: 'pod' }, oomScoreAdj: -998 });
    const sandbox = await made.runtime.runPodSandbox(config, { signal: never });
    expect(sandbox.pid).toBeGreaterThan(0);
    const base = containerConfig(image, [
      'sh',
      '-c',
      // The second sleep is nobody's child any more; it is there until somebody reaps it.
      `hostname; ip -o link | wc -l; (sleep 0.1 &)
       left=400; while [ $left != 0 ]; do case "$(ps -o comm)" in *sleep*) left=$((left-1)); sleep 0.05;; *) left=0;; esac; done
       ps -o pid,stat,comm; exec sleep 600`,
    ]);
    const id = await made.runtime.createContainer(sandbox.id, { ...base, securityContext: { ...base.securityContext, pid: 'pod' } });
    await made.runtime.startContainer(id);
    let log = '';
    const stop = new AbortController();
    for await (const l of made.runtime.containerLogs(id, { follow: true, signal: stop.signal })) {
      log += l.line.toString();
      if (log.includes('ps')) stop.abort();
    }
    expect(log).toMatch(/^my-host\n1\n/);
    expect(log).toContain('pause');
    expect(log).not.toContain(' Z ');
    await made.runtime.removePodSandbox(sandbox.id);
    expect(await docker.listContainers({ all: true, filters: { label: [`io.kubernetes.pod.uid=${config.metadata.uid}`] } })).toEqual([]);
  });

  it("runs a sandbox and its containers by the handler's runtime, also when it has forgotten them", async () => {
    const runtimeHandler = 'io.containerd.runc.v2';
    expect((await made.runtime.status()).handlers).toContain(runtimeHandler);
    const sandbox = await made.runtime.runPodSandbox(sandboxConfig({ runtimeHandler }), { signal: never });
    const later = createDockerRuntime({ ...defaultDockerRuntimeConfig, instance });
    const config = containerConfig(image, ['sleep', '60']);
    const first = await made.runtime.createContainer(sandbox.id, config);
    const second = await later.runtime.createContainer(sandbox.id, { ...config, metadata: { name: 'second', attempt: 0 } });
    later.close();
    for (const id of [sandbox.id, first, second]) {
      const { HostConfig: h } = await docker.getContainer(id).inspect();
      expect((h as { Runtime?: string }).Runtime).toBe(runtimeHandler);
    }
    await made.runtime.startContainer(second);
    expect((await made.runtime.containerStatus(second)).state).toBe('running');
    await made.runtime.removePodSandbox(sandbox.id);
  });

  it('limits, confines and runs as asked', async () => {
    const sandbox = await made.runtime.runPodSandbox(sandboxConfig(), { signal: never });
    const base = containerConfig(image, ['sh', '-c', 'id -u; id -g; touch /x || echo readonly']);
    const id = await made.runtime.createContainer(sandbox.id, {
      ...base,
      resources: {
        cpuPeriodMicros: 100_000,
        cpuQuotaMicros: 50_000,
        cpuShares: 512,
        memoryLimitBytes: 4_000_000,
        memorySwapLimitBytes: 4_000_000,
      },
      securityContext: {
        ...base.securityContext,
        runAsUser: 1234,
        runAsGroup: 99,
        readOnlyRootFilesystem: true,
        noNewPrivileges: true,
        dropCapabilities: ['ALL'],
        addCapabilities: ['NET_BIND_SERVICE'],
      },
    });
    await made.runtime.startContainer(id);
    await made.runtime.waitContainer(id, never);
    // The two streams reach the engine on ways of their own: their lines keep no order to each other.
    let log = '';
    for await (const l of made.runtime.containerLogs(id, { follow: false, signal: never })) {
      if (l.stream === 'stdout') log += l.line.toString();
    }
    expect(log).toBe('1234\n99\nreadonly\n');
    const { HostConfig: h } = await docker.getContainer(id).inspect();
    expect([h.CpuQuota, h.CpuShares, h.Memory, h.MemorySwap, h.RestartPolicy?.Name, h.LogConfig]).toEqual([
      50_000,
      512,
      6 * 1024 * 1024,
      6 * 1024 * 1024,
      'no',
      // However much it writes, its logs end there.
      { Type: 'json-file', Config: { 'max-size': '10m', 'max-file': '5' } },
    ]);
    await made.runtime.removePodSandbox(sandbox.id);
  });

  it('loses nothing of an ended process to a reader that is slower than the engine waits', async () => {
    const sandbox = await made.runtime.runPodSandbox(sandboxConfig(), { signal: never });
    const id = await made.runtime.createContainer(sandbox.id, containerConfig(image, ['sleep', '60']));
    await made.runtime.startContainer(id);
    // How much fits between a process that can end and its reader depends on the engine and the kernel: one of these hits the spot.
    const sizes = Array.from({ length: 20 }, (_, i) => 1_200_000 + i * 30_000);
    const received = sizes.map(async (size) => {
      const process = await made.runtime.exec(id, { command: ['head', '-c', String(size), '/dev/zero'], tty: false, stdin: false });
      process.stderr?.resume();
      // The engine gives up two seconds after the process has ended.
      await new Promise((resolve) => setTimeout(resolve, 3500));
      let bytes = 0;
      for await (const chunk of process.stdout) bytes += (chunk as Buffer).length;
      expect(await process.exitCode).toBe(0);
      process.close();
      return bytes;
    });
    expect(await Promise.all(received)).toEqual(sizes);
    await made.runtime.removePodSandbox(sandbox.id);
  });

  it('forwards ports into the sandbox, both halves closing on their own', async () => {
    const sandbox = await made.runtime.runPodSandbox(sandboxConfig(), { signal: never });
    const id = await made.runtime.createContainer(sandbox.id, containerConfig(image, ['sh', '-c', 'nc -ll -p 8080 -e cat']));
    await made.runtime.startContainer(id);
    const forwarder = await made.runtime.portForward(sandbox.id);
    const socket = await connectSoon(() => forwarder.connect(8080));
    const answer = new Promise<string>((resolve) => {
      let all = '';
      socket.on('data', (b: Buffer) => (all += b.toString()));
      socket.on('end', () => resolve(all));
    });
    socket.end('through the namespace');
    expect(await answer).toBe('through the namespace');
    await expect(forwarder.connect(9)).rejects.toMatchObject({ kind: 'unavailable' });
    forwarder.close();
    await made.runtime.removePodSandbox(sandbox.id);
  });

  it('tells registry troubles apart', async () => {
    await expect(made.images.pullImage('127.0.0.1:1/none:1', undefined, never)).rejects.toMatchObject({ kind: 'registry-unavailable' });
  });
});

/** The server inside needs a moment to listen. */
async function connectSoon<T>(connect: () => Promise<T>): Promise<T> {
  for (const endMs = performance.now() + 40_000; ; ) {
    try {
      return await connect();
    } catch (error) {
      if (performance.now() > endMs) throw error;
      await new Promise((resolve) => setTimeout(resolve, 50));
    }
  }
}
