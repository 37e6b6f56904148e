import { access, mkdtemp, readdir, rm, stat } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { silentLogger, systemClock } from '@skiff/component-base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { containerConfig, describeContainerRuntime, sandboxConfig } from '../src/conformance.ts';
import { createRemoteRuntime, type RemoteRuntime } from '../src/grpc/index.ts';
import { containerdBinaries, startContainerd } from './private-containerd.ts';

const image = 'skiff.test/cri-busybox:1';
const missing = await Promise.all(containerdBinaries.map((b) => access(b))).then(
  () => (process.getuid?.() === 0 ? undefined : 'it has to run as root'),
  (error: Error) => error.message,
);
if (missing !== undefined) console.warn(`SKIPPED: the tests on containerd need its binaries, runc and a static busybox: ${missing}`);

describe.skipIf(missing !== undefined)('containerd', () => {
  let root = '';
  let containerd: Awaited<ReturnType<typeof startContainerd>>;
  let remote: RemoteRuntime;
  beforeAll(async () => {
    root = await mkdtemp(path.join(os.tmpdir(), 'skiff-containerd-'));
    containerd = await startContainerd(root, image);
    const config = { endpoint: containerd.endpoint, instance: 'test', podLogsDirectory: path.join(root, 'logs') };
    remote = createRemoteRuntime(config, { clock: systemClock, log: silentLogger });
    // Sandboxes get no network here but by the plugin that this installs.
    expect(await remote.runtime.status()).toMatchObject({ ready: true, handlers: [''] });
  });
  afterAll(async () => {
    for (const s of await remote.runtime.listPodSandbox()) await remote.runtime.removePodSandbox(s.id);
    await remote.removeTraces();
    remote.close();
    // The runtime leaves logs to its client.
    expect(await readdir(path.join(root, 'logs'))).toEqual([]);
    expect(await readdir(path.join(root, 'cni/conf'))).toEqual([]);
    await containerd.stop();
    await rm(root, { recursive: true, force: true });
  });

  describeContainerRuntime('containerd over gRPC', async () => ({
    runtime: remote,
    image,
    programs: {
      untilStopped: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.05; done'],
      ignoresTerm: ['sh', '-c', 'trap "" TERM; echo deaf; while :; do sleep 0.05; done'],
      exits: (code) => ['sh', '-c', `exit ${code}`],
      prints: (...lines) => ['sh', '-c', `for l in ${lines.join(' ')}; do echo $l; done`],
      complains: (line) => ['sh', '-c', `echo ${line} >&2; exit 1`],
      copiesInput: ['cat'],
      missing: ['/no/such/program'],
    },
    [Symbol.asyncDispose]: async () => undefined,
  }));

  it('puts aside a log that grows, and goes on in a new file', async () => {
    const { runtime } = remote;
    const stop = new AbortController();
    const sandbox = await runtime.runPodSandbox(sandboxConfig(), { signal: stop.signal });
    const script = 'while :; do echo 0123456789012345678901234567890123456789; sleep 0.01; done';
    const id = await runtime.createContainer(sandbox.id, containerConfig(image, ['sh', '-c', script]));
    await runtime.startContainer(id);
    const { logPath = '' } = await runtime.containerStatus(id);
    const size = async (): Promise<number> => (await stat(logPath)).size;
    await expect.poll(size, { timeout: 60_000 }).toBeGreaterThan(1000);
    const keeping = remote.keepLogs({ maxBytes: 1000, maxFiles: 2 }, stop.signal);
    await expect.poll(async () => (await readdir(path.dirname(logPath))).length, { timeout: 60_000 }).toBe(2);
    stop.abort();
    await keeping;
    const before = await size();
    await expect.poll(size, { timeout: 60_000 }).toBeGreaterThan(before);
    await runtime.removePodSandbox(sandbox.id);
  });
});
