import { aborted, type Clock, type Logger } from '@skiff/component-base';
import { createRemoteClient, type RemoteClient } from '../remote/remote-client.ts';
import { createBatchQueue } from './batch.ts';
import type { AuditBackendConfig } from './config.ts';
import type { AuditEvent } from './event.ts';
import type { LogFile } from './log-file.ts';
import type { RemoteServer } from '../remote/kubeconfig.ts';

/** Where events end. `write` throws when they are lost. */
export interface AuditOutput {
  readonly name: 'log' | 'webhook';
  write(events: readonly AuditEvent[], signal: AbortSignal | undefined): void | Promise<void>;
  close(): Promise<void>;
}

export interface AuditBackend {
  /** False: the event is lost, and this back end insists on it. */
  process(event: AuditEvent): boolean | Promise<boolean>;
  run(signal: AbortSignal): Promise<void>;
}

export interface AuditCounts {
  lost(backend: string, events: number): void;
}

const legacyLine = (event: AuditEvent): string => {
  const e = JSON.parse(event.json) as {
    auditID: string;
    stage: string;
    verb: string;
    requestURI: string;
    user: { username?: string; groups?: string[] };
    impersonatedUser?: { username?: string; groups?: string[] };
    sourceIPs?: string[];
    userAgent?: string;
    objectRef?: { namespace?: string };
    responseStatus?: { code?: number };
    requestReceivedTimestamp: string;
  };
  const quote = (s: string | undefined): string => JSON.stringify(s === undefined || s === '' ? '<none>' : s);
  const groups = (u: { groups?: string[] } | undefined): string =>
    u === undefined ? '"<self>"' : u.groups === undefined ? '"<none>"' : u.groups.map((g) => JSON.stringify(g)).join(',');
  const as = e.impersonatedUser === undefined ? '"<self>"' : quote(e.impersonatedUser.username);
  const response = e.responseStatus === undefined ? '<deferred>' : String(e.responseStatus.code ?? 0);
  return `${e.requestReceivedTimestamp} AUDIT: id=${JSON.stringify(e.auditID)} stage=${JSON.stringify(e.stage)} ip=${quote(e.sourceIPs?.[0])} method=${JSON.stringify(e.verb)} user=${quote(e.user.username)} groups=${groups(e.user)} as=${as} asgroups=${groups(e.impersonatedUser)} user-agent=${quote(e.userAgent)} namespace=${quote(e.objectRef?.namespace)} uri=${JSON.stringify(e.requestURI)} response="${response}"\n`;
};

export const logOutput = (file: LogFile, format: 'json' | 'legacy'): AuditOutput => ({
  name: 'log',
  write: (events) => file.write(events.map((e) => (format === 'json' ? `${e.json}\n` : legacyLine(e))).join('')),
  close: () => file.close(),
});

const webhookTimeoutMs = 30_000;
const webhookTries = 5;
const backoffFactor = 1.5;

/** Sends lists of events; what fails is tried again, each time after a longer pause. */
export function webhookOutput(server: RemoteServer, o: { initialBackoffMs: number; clock: Clock }): AuditOutput {
  const client: RemoteClient = createRemoteClient(server);
  return {
    name: 'webhook',
    write: async (events, signal) => {
      const body = `{"kind":"EventList","apiVersion":"audit.k8s.io/v1","metadata":{},"items":[${events.map(itemOf).join(',')}]}`;
      let pauseMs = o.initialBackoffMs;
      for (let attempt = 1; ; attempt++) {
        try {
          await client.post(body, { timeoutMs: webhookTimeoutMs, ...(signal === undefined ? {} : { signal }) });
          return;
        } catch (error) {
          if (attempt >= webhookTries || signal?.aborted === true) throw error;
        }
        await o.clock.sleep(pauseMs * (1 + Math.random() * 0.2), signal);
        pauseMs *= backoffFactor;
      }
    },
    close: () => Promise.resolve(client[Symbol.dispose]()),
  };
}

/** Items of a list don't say their kind. */
const itemHead = '{"kind":"Event","apiVersion":"audit.k8s.io/v1",';
const itemOf = (e: AuditEvent): string => (e.json.startsWith(itemHead) ? `{${e.json.slice(itemHead.length)}` : e.json);

const plain = (json: string, auditId: string): AuditEvent => {
  const event: AuditEvent = { json, auditId, withoutObjects: () => json };
  return event;
};

/** Cut to size, and handed on in the way that the mode says. */
export function createAuditBackend(
  config: AuditBackendConfig,
  deps: { output: AuditOutput; counts: AuditCounts; clock: Clock; log: Logger },
): AuditBackend {
  const { output, counts, log } = deps;
  const lost = (events: readonly AuditEvent[], error: unknown): void => {
    counts.lost(output.name, events.length);
    log.error({ err: error, backend: output.name, events: events.length, auditId: events[0]?.auditId }, 'audit events are lost');
  };
  const write = async (events: readonly AuditEvent[], signal?: AbortSignal): Promise<boolean> => {
    try {
      await output.write(events, signal);
      return true;
    } catch (error) {
      lost(events, error);
      return false;
    }
  };
  const deliver = async (events: readonly AuditEvent[], signal: AbortSignal): Promise<void> => {
    const limit = config.truncate?.maxBatchBytes ?? Infinity;
    let from = 0;
    let bytes = 0;
    for (const [i, event] of events.entries()) {
      if (i > from && bytes + event.json.length > limit) {
        await write(events.slice(from, i), signal);
        from = i;
        bytes = 0;
      }
      bytes += event.json.length;
    }
    await write(from === 0 ? events : events.slice(from), signal);
  };
  const queue = config.mode === 'batch' ? createBatchQueue(config.batch, { deliver, clock: deps.clock }) : undefined;
  let full = false;

  /** undefined: too large even without objects. */
  const fitting = (event: AuditEvent): AuditEvent | undefined => {
    const limit = config.truncate?.maxEventBytes;
    if (limit === undefined || event.json.length <= limit) return event;
    const short = event.withoutObjects();
    return short.length <= limit ? plain(short, event.auditId) : undefined;
  };

  return {
    process: (received) => {
      const event = fitting(received);
      if (event === undefined) {
        lost([received], new Error('event is too large even after truncating'));
        return true;
      }
      if (queue !== undefined) {
        const taken = queue.offer(event);
        if (!taken) counts.lost(output.name, 1);
        // One line for each time it gets full: the counter has the number.
        if (!taken && !full) log.error({ backend: output.name }, 'the audit buffer is full: events are lost');
        full = !taken;
        return true;
      }
      const strict = config.mode === 'blocking-strict';
      // Files are written before this returns; nobody waits for a turn of the loop then.
      try {
        const writing = output.write([event], undefined);
        if (writing === undefined) return true;
        return writing.then(
          () => true,
          (error: unknown) => {
            lost([event], error);
            return !strict;
          },
        );
      } catch (error) {
        lost([event], error);
        return !strict;
      }
    },
    run: async (signal) => {
      await (queue === undefined ? aborted(signal) : queue.run(signal));
      await output.close();
    },
  };
}
