import { access, mkdtemp, readdir, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { silentLogger, systemClock } from '@skiff/component-base';
import { describe, expect } from 'vitest';
import { describeContainerRuntime } from '../src/conformance.ts';
import { createRemoteRuntime } from '../src/grpc/index.ts';
import { containerdBinaries, startContainerd } from './private-containerd.ts';

const image = 'skiff.test/cri-busybox:1';
const missing = await Promise.all(containerdBinaries.map((b) => access(b))).then(
  () => (process.getuid?.() === 0 ? undefined : 'it has to run as root'),
  (error: Error) => error.message,
);
if (missing !== undefined) console.warn(`SKIPPED: the tests on containerd need its binaries, runc and a static busybox: ${missing}`);

describe.skipIf(missing !== undefined)('containerd', () => {
  describeContainerRuntime('containerd over gRPC', async () => {
    const root = await mkdtemp(path.join(os.tmpdir(), 'skiff-containerd-'));
    const containerd = await startContainerd(root, image);
    const remote = createRemoteRuntime(
      { endpoint: containerd.endpoint, instance: 'test', podLogsDirectory: path.join(root, 'logs') },
      { clock: systemClock, log: silentLogger },
    );
    // Sandboxes get no network here but by the plugin that this installs.
    expect(await remote.runtime.status()).toMatchObject({ ready: true, handlers: [''] });
    return {
      runtime: remote,
      image,
      programs: {
        untilStopped: ['sh', '-c', 'trap "exit 0" TERM; while :; do sleep 0.05; done'],
        ignoresTerm: ['sh', '-c', 'trap "" TERM; while :; do sleep 0.05; done'],
        exits: (code) => ['sh', '-c', `exit ${code}`],
        prints: (...lines) => ['sh', '-c', `for l in ${lines.join(' ')}; do echo $l; done`],
        complains: (line) => ['sh', '-c', `echo ${line} >&2; exit 1`],
        copiesInput: ['cat'],
        missing: ['/no/such/program'],
      },
      [Symbol.asyncDispose]: async () => {
        for (const s of await remote.runtime.listPodSandbox()) await remote.runtime.removePodSandbox(s.id);
        await remote.removeTraces();
        expect(await readdir(path.join(root, 'cni/conf'))).toEqual([]);
        remote.close();
        // The runtime leaves logs to its client.
        expect(await readdir(path.join(root, 'logs'))).toEqual([]);
        await containerd.stop();
        await rm(root, { recursive: true, force: true });
      },
    };
  });
});
