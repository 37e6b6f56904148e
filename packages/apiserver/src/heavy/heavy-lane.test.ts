import { FakeClock, silentLogger } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import type { ApiRequest } from '../contract.ts';
import { createHeavyLane, type HeavyLane, type MakeCall } from './heavy-lane.ts';
import type { AnswerMessage, FormAnswer, FormQuestion, RequestMessage } from './messages.ts';
import type { Thread } from './thread-link.ts';
import type { WebhookCall } from './webhook-calls.ts';

/** A thread that a test answers for. */
class FakeThread<Q extends { id: number }, A extends { id: number }> implements Thread<Q, A> {
  readonly questions: Q[] = [];
  isStopped = false;
  #handlers: { answer: (a: A) => void; ended: (error: Error | undefined) => void } | undefined;
  post(question: Q): void {
    this.questions.push(question);
  }
  on(handlers: { answer: (a: A) => void; ended: (error: Error | undefined) => void }): void {
    this.#handlers = handlers;
  }
  answer(a: A): void {
    this.#handlers?.answer(a);
  }
  end(error?: Error): void {
    this.#handlers?.ended(error);
  }
  stop(): void {
    this.isStopped = true;
    this.end();
  }
}

function start(): {
  lane: HeavyLane;
  clock: FakeClock;
  servers: FakeThread<RequestMessage, AnswerMessage>[];
  formMakers: FakeThread<FormQuestion, FormAnswer>[];
  calls: MakeCall[];
} {
  const clock = new FakeClock();
  const servers: FakeThread<RequestMessage, AnswerMessage>[] = [];
  const formMakers: FakeThread<FormQuestion, FormAnswer>[] = [];
  const calls: MakeCall[] = [];
  const add = <T>(list: T[], item: T): T => {
    list.push(item);
    return item;
  };
  const lane = createHeavyLane({
    startServer: (makeCall) => {
      calls.push(makeCall);
      return add(servers, new FakeThread());
    },
    startFormMaker: () => add(formMakers, new FakeThread()),
    clock,
    log: silentLogger,
  });
  return { lane, clock, servers, formMakers, calls };
}

const request = (verb = 'create'): ApiRequest => ({
  info: {
    isResourceRequest: true,
    path: '/api/v1/namespaces/a/configmaps',
    verb,
    apiPrefix: 'api',
    group: '',
    version: 'v1',
    namespace: 'a',
    resource: 'configmaps',
    subresource: '',
    name: '',
    parts: ['configmaps'],
  },
  user: { name: 'alice', groups: [] },
  query: new URLSearchParams('dryRun=All'),
  body: Buffer.from('{}'),
  contentType: 'application/json',
  output: { mediaType: 'json', pretty: false },
  userAgent: 'test',
  signal: new AbortController().signal,
  warnings: [],
});
const answer = (id: number): AnswerMessage => ({
  id,
  warnings: ['a warning'],
  response: { code: 201, contentType: 'application/json', body: Buffer.from('done') },
});

describe('the heavy lane', () => {
  it('starts its thread with the first request and hands back answers and warnings', async () => {
    const { lane, servers } = start();
    expect(servers).toHaveLength(0);
    const [first, second] = [request(), request()];
    const answers = [lane.serve(first), lane.serve(second)];
    expect(servers).toHaveLength(1);
    const [a, b] = servers[0]?.questions ?? [];
    expect(a?.request).toMatchObject({ query: 'dryRun=All', user: { name: 'alice' }, contentType: 'application/json' });
    servers[0]?.answer(answer(b?.id ?? 0));
    servers[0]?.answer(answer(a?.id ?? 0));
    for (const response of await Promise.all(answers)) {
      expect(response).toMatchObject({ code: 201, contentLength: 4 });
      expect(Buffer.concat([...response.body]).toString()).toBe('done');
    }
    expect(first.warnings).toEqual(['a warning']);
  });

  it('stops an idle thread, and starts another when it is needed again', async () => {
    const { lane, clock, servers } = start();
    const served = lane.serve(request());
    servers[0]?.answer(answer(1));
    await served;
    await clock.advance(59_000);
    expect(servers[0]?.isStopped).toBe(false);
    await clock.advance(2_000);
    expect(servers[0]?.isStopped).toBe(true);
    const again = lane.serve(request());
    servers[1]?.answer(answer(2));
    expect((await again).code).toBe(201);
  });

  it.each([
    ['create', 'Timeout'],
    ['list', 'ServiceUnavailable'],
  ])('tells clients when the thread gets stuck or fails: %s', async (verb, reason) => {
    const { lane, clock, servers } = start();
    const stuck = expect(lane.serve(request(verb))).rejects.toMatchObject({ reason });
    await clock.advance(61_000);
    await stuck;
    expect(servers[0]?.isStopped).toBe(true);
    const failing = lane.serve(request(verb));
    servers[1]?.end(new Error('out of memory'));
    await expect(failing).rejects.toMatchObject({ reason });
  });

  it('takes no more than it can hold', async () => {
    const { lane, servers } = start();
    const all = Array.from({ length: 51 }, () => lane.serve(request()));
    await expect(all[50]).rejects.toMatchObject({ reason: 'TooManyRequests' });
    for (let id = 1; id <= 50; id++) servers[0]?.answer(answer(id));
    await Promise.all(all.slice(0, 50));
  });

  it('has forms made on a thread of their own; without it there is none', async () => {
    const { lane, servers, formMakers } = start();
    const value = Buffer.from('{"a":1}');
    const form = { metadataStart: 1, versionAt: 2, metadataEnd: 3, labels: {}, fields: {} };
    const same = lane.formOf('/v1/configmaps', value);
    formMakers[0]?.answer({ id: 1, form });
    expect((await same)?.bytes).toBe(value);
    const lost = lane.formOf('/v1/configmaps', value);
    formMakers[0]?.end(new Error('gone'));
    expect(await lost).toBeUndefined();
    expect(servers).toHaveLength(0);
  });

  it('makes the calls to webhooks that the thread needs, which count as signs of life', async () => {
    const { lane, clock, servers, calls } = start();
    const served = lane.serve(request());
    const { signal } = new AbortController();
    const call: WebhookCall = {
      id: 7,
      target: { href: 'https://hook.a.svc/x', route: { node: 'n', host: '10.0.0.1', port: 443 }, serverName: 'hook.a.svc', ca: undefined },
      text: Buffer.from('{}'),
      timeoutMs: 30_000,
    };
    expect(await calls[0]?.(call, signal)).toEqual({ id: 7, failure: 'the server is not ready' });
    const sent: { href: string; node: string | undefined }[] = [];
    lane.callWebhooksBy({
      send: async ({ url, route }) => {
        sent.push({ href: url.href, node: route.node });
        await clock.sleep(29_000);
        return Buffer.from('{"a":1}');
      },
      close: () => undefined,
    });
    for (let i = 0; i < 3; i++) {
      const result = calls[0]?.(call, signal);
      await clock.advance(29_000);
      expect((await result)?.answer?.toString()).toBe('{"a":1}');
    }
    expect(sent[2]).toEqual({ href: 'https://hook.a.svc/x', node: 'n' });
    expect(servers[0]?.isStopped).toBe(false);
    servers[0]?.answer(answer(1));
    expect((await served).code).toBe(201);
  });
});
