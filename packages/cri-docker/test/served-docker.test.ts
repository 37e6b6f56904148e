import { once } from 'node:events';
import { access, mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { text } from 'node:stream/consumers';
import { silentLogger, systemClock } from '@skiff/component-base';
import { containerConfig, describeContainerRuntime, sandboxConfig } from '@skiff/cri/conformance';
import { createRemoteRuntime, serveRuntime } from '@skiff/cri/grpc';
import Docker from 'dockerode';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createDockerRuntime, defaultDockerRuntimeConfig } from '../src/index.ts';
import { busybox, image, importBusybox } from './busybox-image.ts';

const socketPath = '/var/run/docker.sock';
const missing = await Promise.all([access(socketPath), access(busybox)]).then(
  () => undefined,
  (error: Error) => error.message,
);
if (missing !== undefined) console.warn(`SKIPPED: the served Docker runtime's tests need Docker Engine and a static busybox: ${missing}`);

describe.skipIf(missing !== undefined)('Docker Engine as a CRI v1 endpoint', () => {
  const never = new AbortController().signal;
  const stop = new AbortController();
  const docker = createDockerRuntime({ ...defaultDockerRuntimeConfig, instance: `cri-served-${process.pid}` });
  let directory = '';
  let served: Promise<void> = Promise.resolve();
  let remote: ReturnType<typeof createRemoteRuntime>;
  beforeAll(async () => {
    await importBusybox(new Docker({ socketPath }));
    directory = await mkdtemp(path.join(os.tmpdir(), 'skiff-cri-'));
    const socket = path.join(directory, 'cri.sock');
    await new Promise<void>((resolve, reject) => {
      const imageDirectory = path.join(directory, 'images');
      const config = { socket, imageDirectory, clock: systemClock, log: silentLogger, onListening: resolve };
      served = serveRuntime(docker, config, stop.signal);
      served.catch(reject);
    });
    const config = { endpoint: `unix://${socket}`, instance: 'test', podLogsDirectory: path.join(directory, 'logs') };
    remote = createRemoteRuntime(config, { clock: systemClock, log: silentLogger });
  });
  afterAll(async () => {
    for (const s of await docker.runtime.listPodSandbox()) await docker.runtime.removePodSandbox(s.id);
    remote.close();
    stop.abort();
    await served;
    docker.close();
    await rm(directory, { recursive: true });
  });

  describeContainerRuntime('docker, served and used over gRPC', async () => ({
    runtime: remote,
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
    [Symbol.asyncDispose]: async () => undefined,
  }));

  it('tells what the CRI has no fields for', async () => {
    // The engine has no mounts of images, the server has.
    expect(await remote.runtime.status()).toEqual({ ...(await docker.runtime.status()), imageMounts: true });
    expect(await remote.runtime.version()).toMatchObject({ runtimeName: 'docker' });
    expect(await remote.images.imageStatus(image)).toMatchObject({ repoTags: [image] });
  });

  it('mounts images, and keeps what they hold only as long as there is a container', async () => {
    const sandbox = await remote.runtime.runPodSandbox(sandboxConfig(), { signal: never });
    const id = (await remote.images.imageStatus(image))?.id ?? '';
    const mount = { containerPath: '/image', hostPath: '', image: { id, reference: image, subPath: 'bin' }, readOnly: true } as const;
    const command = ['sh', '-c', 'touch /image/x; /image/busybox echo from the image'];
    const config = containerConfig(image, command, { mounts: [{ ...mount, propagation: 'private' }] });
    const container = await remote.runtime.createContainer(sandbox.id, config);
    await remote.runtime.startContainer(container);
    await remote.runtime.waitContainer(container, never);
    const said: string[] = [];
    for await (const line of remote.runtime.containerLogs(container, { follow: true, signal: never })) said.push(line.line.toString());
    expect(said.sort()).toEqual([expect.stringContaining('from the image'), expect.stringContaining('Read-only file system')]);
    expect(await readdir(path.join(directory, 'images'))).toEqual([id.replace('sha256:', '')]);
    await remote.runtime.removeContainer(container);
    await expect.poll(() => readdir(path.join(directory, 'images')), { timeout: 10_000 }).toEqual([]);
    await remote.runtime.removePodSandbox(sandbox.id);
  });

  it('forwards ports and resizes terminals', async () => {
    const sandbox = await remote.runtime.runPodSandbox(sandboxConfig(), { signal: never });
    expect(sandbox.pid).toBeGreaterThan(0);
    const id = await remote.runtime.createContainer(sandbox.id, containerConfig(image, ['nc', '-ll', '-p', '8080', '-e', 'cat']));
    await remote.runtime.startContainer(id);
    const forwarder = await remote.runtime.portForward(sandbox.id);
    const [refused] = await once(await forwarder.connect(9), 'error');
    expect(refused).toMatchObject({ kind: 'unavailable' });
    // The server inside needs a moment to listen.
    const ask = async (): Promise<string> => {
      const socket = await forwarder.connect(8080);
      socket.end('through the namespace');
      return text(socket).catch(() => '');
    };
    await expect.poll(ask, { timeout: 40_000 }).toBe('through the namespace');
    forwarder.close();

    const untilSized = 'until [ "$(stty size 2>/dev/null)" != "" ]; do sleep 0.05; done; stty size';
    const terminal = await remote.runtime.exec(id, { command: ['sh', '-c', untilSized], tty: true, stdin: true });
    let shown = '';
    terminal.stdout.on('data', (chunk: Buffer) => (shown += chunk.toString()));
    await terminal.resize({ width: 132, height: 40 });
    expect(await terminal.exitCode).toBe(0);
    expect(shown).toContain('40 132');
    await remote.runtime.removePodSandbox(sandbox.id);
  });
});
