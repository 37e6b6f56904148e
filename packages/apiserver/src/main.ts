import { setMaxListeners } from 'node:events';
import { maxHeaderSize } from 'node:http';
import { MessageChannel, type MessagePort, Worker } from 'node:worker_threads';
import { createLogger, exitMessage, formatHelp, parseFlags, processSignal, systemClock } from '@skiff/component-base';
import { createApiServer } from './api-server.ts';
import { configFromFlags } from './config.ts';
import { apiServerFlags } from './flags.ts';
import { createHeavyLane, type MakeCall } from './heavy/heavy-lane.ts';
import type { AnswerMessage, RequestMessage } from './heavy/messages.ts';
import type { Thread } from './heavy/thread-link.ts';
import type { ServerThreadData, WebhookCall } from './heavy/webhook-calls.ts';
import { logLevel } from './log-level.ts';
import { createRegistry } from './registry/registry.ts';
import { openEphemeralStore, openFlaggedEncryption, openStore } from './stores.ts';

/** What upstream takes in a request's headers; node's own limit can only be set on its command line. */
const headerBytes = 1_048_576;

/** `main` lies beside this file, in both builds. */
function startThread<Question extends { id: number }, Answer extends { id: number }>(
  main: string,
  data: object,
  ports: readonly MessagePort[] = [],
): Thread<Question, Answer> {
  const worker = new Worker(new URL(main, import.meta.url), {
    workerData: data,
    transferList: [...ports],
    resourceLimits: { maxOldGenerationSizeMb: 768 },
  });
  worker.unref();
  return {
    post: (message) => worker.postMessage(message),
    on: ({ answer, ended }) => {
      let failure: Error | undefined;
      worker.on('message', answer);
      worker.on('error', (error) => {
        failure = error;
      });
      worker.on('exit', () => ended(failure));
    },
    stop: () => void worker.terminate(),
  };
}

function startServerThread(args: readonly string[], makeCall: MakeCall): Thread<RequestMessage, AnswerMessage> {
  const { port1: here, port2: there } = new MessageChannel();
  const ended = new AbortController();
  // Every call listens to it.
  setMaxListeners(0, ended.signal);
  here.on('message', (call: WebhookCall) => void makeCall(call, ended.signal).then((result) => here.postMessage(result)));
  here.on('close', () => ended.abort());
  here.unref();
  const data: ServerThreadData = { args, calls: there };
  return startThread('./heavy/heavy-main.js', data, [there]);
}

async function main(args: readonly string[]): Promise<number> {
  const flags = parseFlags(apiServerFlags, args);
  const log = createLogger('apiserver', logLevel(flags.v));
  if (maxHeaderSize < headerBytes)
    log.warn(
      { maxHeaderSize },
      `long headers and URLs over HTTP/1.1 will be refused: start node with --max-http-header-size=${headerBytes}`,
    );
  const signal = processSignal();
  const encryption = openFlaggedEncryption(flags, log);
  await using store = openStore(flags, log, encryption);
  await using ephemeralStore = openEphemeralStore(flags, encryption);
  // A store in memory can't be shared with another thread.
  const heavyLane =
    flags['storage-backend'] === 'memory'
      ? undefined
      : createHeavyLane({
          startServer: (makeCall) => startServerThread(args, makeCall),
          startFormMaker: () => startThread('./heavy/forms-main.js', {}),
          clock: systemClock,
          log,
        });
  const server = createApiServer(configFromFlags(flags), {
    store,
    ...(ephemeralStore === undefined ? {} : { ephemeralStore }),
    clock: systemClock,
    log,
    createRegistry,
    ...(heavyLane === undefined ? {} : { heavyLane }),
    flags,
  });
  const following = encryption?.follow(signal);
  await server.run(signal);
  await following;
  heavyLane?.stop();
  log.info('stopped');
  return 0;
}

const args = process.argv.slice(2);
if (args.includes('--help')) {
  process.stdout.write(formatHelp('apiserver', apiServerFlags));
} else {
  try {
    process.exitCode = await main(args);
  } catch (error) {
    process.stderr.write(`apiserver: ${exitMessage(error)}\n`);
    process.exitCode = 1;
  }
}
