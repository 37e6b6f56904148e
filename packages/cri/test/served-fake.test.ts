import { mkdtemp, rm } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { silentLogger, systemClock } from '@skiff/component-base';
import { describeContainerRuntime } from '../src/conformance.ts';
import { createFakeRuntime } from '../src/fake/index.ts';
import { createRemoteRuntime, serveRuntime } from '../src/grpc/index.ts';

describeContainerRuntime('fake, served and used over gRPC', async () => {
  const directory = await mkdtemp(path.join(os.tmpdir(), 'skiff-cri-'));
  const socket = path.join(directory, 'cri.sock');
  const stop = new AbortController();
  let onListening!: () => void;
  let reject!: (error: Error) => void;
  const listening = new Promise<void>((y, n) => {
    onListening = y;
    reject = n;
  });
  const served = serveRuntime(
    createFakeRuntime({ clock: systemClock }),
    { socket, clock: systemClock, log: silentLogger, onListening },
    stop.signal,
  );
  served.catch(reject);
  await listening;
  const remote = createRemoteRuntime(
    { endpoint: `unix://${socket}`, instance: 'test', podLogsDirectory: path.join(directory, 'logs') },
    { clock: systemClock, log: silentLogger },
  );
  return {
    runtime: remote,
    image: 'fake:1',
    programs: {
      untilStopped: ['pause'],
      ignoresTerm: ['stubborn'],
      exits: (code) => ['exit', String(code)],
      prints: (...lines) => ['print', ...lines],
      complains: (line) => ['complain', line],
      copiesInput: ['cat'],
      missing: ['no-such-program'],
    },
    [Symbol.asyncDispose]: async () => {
      remote.close();
      stop.abort();
      await served;
      await rm(directory, { recursive: true });
    },
  };
});
