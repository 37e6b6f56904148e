/** The thread behind HeavyLane: a server without a listener. Started with the process's own flags. */
import { parentPort, workerData } from 'node:worker_threads';
import { isStatusError } from '@skiff/apimachinery';
import { createLogger, parseFlags, supervise, systemClock } from '@skiff/component-base';
import { openExternalAuthentication } from '../authn/external.ts';
import { readServiceAccountKeys } from '../authn/service-account-keys.ts';
import { configFromFlags } from '../config.ts';
import type { RequestInfo, ResourceEndpoint } from '../contract.ts';
import { CustomResources } from '../custom-resources/custom-resources.ts';
import { callEndpoint, findEndpoint } from '../dispatch.ts';
import { apiServerFlags } from '../flags.ts';
import { createRegistry } from '../registry/registry.ts';
import { errorResponse } from '../request/responses.ts';
import { createServedApi } from '../served-api.ts';
import { readTlsFiles } from '../server/tls-files.ts';
import { openEphemeralStore, openFlaggedEncryption, openStore } from '../stores.ts';
import { logLevel } from '../log-level.ts';
import { auditNotes, fromRequestMessage, type RequestMessage, toAnswerMessage } from './messages.ts';
import { sendThroughThread, type ServerThreadData } from './webhook-calls.ts';

const port = parentPort;
if (port === null) throw new Error('this runs as a thread of the apiserver');
const { args, calls } = workerData as ServerThreadData;
const flags = parseFlags(apiServerFlags, args);
const config = configFromFlags(flags);
const log = createLogger('apiserver', logLevel(flags.v)).child({ part: 'heavy' });
const [material, keys] = await Promise.all([readTlsFiles(config.tls), readServiceAccountKeys(config.serviceAccounts)]);
const clock = systemClock;
const encryption = openFlaggedEncryption(flags, log);
const ephemeralStore = openEphemeralStore(flags, encryption);
const external =
  config.externalAuthentication &&
  openExternalAuthentication(config.externalAuthentication, { ownIssuers: config.serviceAccounts.issuers, clock, log });
const api = createServedApi(
  { ...config, housekeeping: false },
  {
    store: openStore(flags, log, encryption),
    ...(ephemeralStore === undefined ? {} : { ephemeralStore }),
    createRegistry,
    // The tunnels end in the other thread.
    webhooks: sendThroughThread(calls),
    material: () => material,
    keys,
    external,
    clock,
    log,
  },
);
// Lives until the thread is stopped.
const { signal } = new AbortController();
void encryption?.follow(signal);
void external?.follow(signal);
void api.authorization.follow(signal);
void supervise('registry', (s) => api.registry.run(s), { signal, clock, log });
const customResources = new CustomResources({ registry: api.registry, clock, log });
const ready = api.registry.ready(signal).then(() => customResources.follow());

/** A kind that this thread has not heard of may have come since. */
async function findCurrentEndpoint(info: RequestInfo): Promise<ResourceEndpoint> {
  if (api.endpoints.lookup(info.group, info.version, info.resource, info.subresource) === undefined) await api.registry.ready(signal);
  return findEndpoint(api.endpoints, info);
}

port.on('message', (message: RequestMessage) => {
  const noted = message.audited === true ? auditNotes() : undefined;
  const request = fromRequestMessage(message, signal, noted?.audit);
  void (async () => {
    await ready;
    const response = await callEndpoint(await findCurrentEndpoint(request.info), request, () => {
      throw new Error('watches are not served here');
    });
    if (response === undefined) throw new Error('a request without an answer');
    return response;
  })()
    .catch((error: unknown) => {
      if (!isStatusError(error)) log.error({ err: error, path: request.info.path }, 'request failed');
      const mediaType = request.output.mediaType === 'yaml' ? 'yaml' : 'json';
      return errorResponse(error, { mediaType, pretty: request.output.pretty });
    })
    .then((response) => port.postMessage(toAnswerMessage(message.id, request, response, noted?.notes)));
});
