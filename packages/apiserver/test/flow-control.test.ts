import type { ClientHttp2Session } from 'node:http2';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry } from '../src/registry/registry.ts';
import { type Answer, startTestServer, type TestServer } from './test-server.ts';

const root = '/apis/flowcontrol.apiserver.k8s.io/v1';
let server: TestServer;
beforeAll(async () => {
  server = await startTestServer(createRegistry, { inFlight: { readOnly: 40, mutating: 20 }, requestTimeoutMs: 300_000 });
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

type Json = Record<string, never> & { metadata: { name: string; uid: string; annotations: Record<string, string> }; items: Json[] };
async function call(
  method: string,
  path: string,
  body?: unknown,
  as?: string,
): Promise<{ code: number; body: Json; headers: Record<string, unknown> }> {
  const headers: Record<string, string> = { 'content-type': method === 'PATCH' ? 'application/merge-patch+json' : 'application/json' };
  if (as !== undefined) headers['impersonate-user'] = as;
  const r = await server.fetch(path, { method, headers, ...(body === undefined ? {} : { body: JSON.stringify(body) }) });
  return { code: r.code, body: JSON.parse(r.text) as Json, headers: r.headers };
}

/** Reads until `found` is true of what was read. */
async function until<T>(read: () => Promise<T>, found: (value: T) => boolean): Promise<T> {
  const end = Date.now() + 40_000;
  for (;;) {
    const value = await read();
    if (found(value)) return value;
    if (Date.now() > end) throw new Error(`not in time: ${JSON.stringify(value)}`);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
}

const level = (name: string, spec: object): object => ({
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind: 'PriorityLevelConfiguration',
  metadata: { name },
  spec,
});
const schemaFor = (user: string, to: string, name = user): object => ({
  apiVersion: 'flowcontrol.apiserver.k8s.io/v1',
  kind: 'FlowSchema',
  metadata: { name },
  spec: {
    priorityLevelConfiguration: { name: to },
    matchingPrecedence: 500,
    distinguisherMethod: { type: 'ByUser' },
    rules: [
      {
        subjects: [{ kind: 'User', user: { name: user } }],
        nonResourceRules: [{ verbs: ['*'], nonResourceURLs: ['*'] }],
        resourceRules: [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'], namespaces: ['*'], clusterScope: true }],
      },
    ],
  },
});
const danglingOf = (r: { body: unknown }): { status: string; reason: string } | undefined =>
  (r.body as { status?: { conditions?: { type: string; status: string; reason: string }[] } }).status?.conditions?.find(
    (c) => c.type === 'Dangling',
  );

describe('objects', () => {
  it('are there from the beginning, and say that their levels are', async () => {
    const list = async (): Promise<Json[]> => (await call('GET', `${root}/flowschemas`)).body.items;
    const schemas = await until(list, (items) => items.length > 0 && items.every((s) => danglingOf({ body: s })?.status === 'False'));
    expect(schemas.map((s) => s.metadata.name)).toEqual([
      'catch-all',
      'exempt',
      'global-default',
      'kube-controller-manager',
      'kube-scheduler',
      'kube-system-service-accounts',
      'probes',
      'service-accounts',
      'system-leader-election',
      'system-node-high',
      'system-nodes',
    ]);
    const levels = await call('GET', `${root}/prioritylevelconfigurations`);
    expect(levels.body.items.map((s) => s.metadata.name)).toEqual([
      'catch-all',
      'exempt',
      'global-default',
      'leader-election',
      'node-high',
      'system',
      'workload-high',
      'workload-low',
    ]);
  });
  it('of the server come back when they are deleted; those of administrators stay as they are', async () => {
    const path = `${root}/flowschemas/probes`;
    const before = (await call('GET', path)).body.metadata.uid;
    await call('DELETE', path);
    await until(
      () => call('GET', path),
      (r) => r.code === 200 && r.body.metadata.uid !== before,
    );
    const taken = await call('PATCH', `${root}/prioritylevelconfigurations/system`, {
      metadata: { annotations: { 'apf.kubernetes.io/autoupdate-spec': 'false' } },
      spec: { limited: { nominalConcurrencyShares: 31 } },
    });
    expect(taken.code).toBe(200);
    const reset = await call('PATCH', `${root}/prioritylevelconfigurations/node-high`, {
      spec: { limited: { nominalConcurrencyShares: 1 } },
    });
    expect(reset.code).toBe(200);
    const shares = (r: { body: unknown }): number =>
      (r.body as { spec: { limited: { nominalConcurrencyShares: number } } }).spec.limited.nominalConcurrencyShares;
    await until(
      () => call('GET', `${root}/prioritylevelconfigurations/node-high`),
      (r) => shares(r) === 40,
    );
    expect(shares(await call('GET', `${root}/prioritylevelconfigurations/system`))).toBe(31);
  });
  it.each([
    [
      'prioritylevelconfigurations/catch-all',
      { spec: { limited: { nominalConcurrencyShares: 6 } } },
      /^PriorityLevelConfiguration.flowcontrol.apiserver.k8s.io "catch-all" is invalid: spec: Invalid value: \{"Type":"Limited","Limited":\{"NominalConcurrencyShares":6,.*: spec of 'catch-all' must equal the fixed value$/,
    ],
    ['flowschemas/exempt', { spec: { matchingPrecedence: 6 } }, /spec of 'exempt' must equal the fixed value$/],
    ['flowschemas/probes', { spec: { matchingPrecedence: 1 } }, /only the schema named 'exempt' may have matchingPrecedence 1$/],
  ])('mandatory and reserved: %s', async (path, patch, message) => {
    const r = await call('PATCH', `${root}/${path}`, patch);
    expect([r.code, String(r.body['message'])]).toEqual([422, expect.stringMatching(message)]);
  });
  it('may change the shares of exempt', async () => {
    const r = await call('PATCH', `${root}/prioritylevelconfigurations/exempt`, { spec: { exempt: { nominalConcurrencyShares: 2 } } });
    expect(r.code).toBe(200);
  });
});

describe('requests', () => {
  it('say how they were classified, by what is there now', async () => {
    await call('POST', `${root}/flowschemas`, schemaFor('noxu', 'few'));
    const missing = await until(
      () => call('GET', `${root}/flowschemas/noxu`),
      (r) => danglingOf(r) !== undefined,
    );
    expect(danglingOf(missing)).toMatchObject({ status: 'True', reason: 'NotFound' });
    const made = await call(
      'POST',
      `${root}/prioritylevelconfigurations`,
      level('few', { type: 'Limited', limited: { nominalConcurrencyShares: 1, limitResponse: { type: 'Reject' } } }),
    );
    await until(
      () => call('GET', `${root}/flowschemas/noxu`),
      (r) => danglingOf(r)?.status === 'False',
    );
    const mine = await call('GET', '/version', undefined, 'noxu');
    expect([mine.headers['x-kubernetes-pf-flowschema-uid'], mine.headers['x-kubernetes-pf-prioritylevel-uid']]).toEqual([
      missing.body.metadata.uid,
      made.body.metadata.uid,
    ]);
    const other = await call('GET', '/version', undefined, 'foo');
    expect(other.headers['x-kubernetes-pf-flowschema-uid']).not.toBe(missing.body.metadata.uid);
  });

  it('are refused with Retry-After where a level is full, while others are served', async () => {
    const queued = {
      type: 'Limited',
      limited: {
        nominalConcurrencyShares: 1,
        lendablePercent: 0,
        borrowingLimitPercent: 0,
        limitResponse: { type: 'Queue', queuing: { queues: 1, handSize: 1, queueLengthLimit: 1 } },
      },
    };
    await call('POST', `${root}/prioritylevelconfigurations`, level('narrow', queued));
    await call('POST', `${root}/flowschemas`, schemaFor('flood', 'narrow'));
    await until(
      () => call('GET', `${root}/flowschemas/flood`),
      (r) => danglingOf(r)?.status === 'False',
    );
    using session = disposable(server.session());
    const asFlood = { 'impersonate-user': 'flood', 'content-type': 'application/json', accept: 'application/json' };
    const open = (): Slow =>
      slowRequest(session.value, { ...asFlood, ':method': 'POST', ':path': '/apis/authentication.k8s.io/v1/selfsubjectreviews' });
    // One is served and waits for its body, one waits in the queue; for more there is no room.
    const held = [open(), open()];
    await until(
      async () => (await server.fetch('/metrics')).text,
      (m) => m.includes('current_inqueue_requests{priority_level="narrow",flow_schema="flood"} 1'),
    );
    const refused = await Promise.all([open(), open(), open()].map((r) => r.answer));
    for (const r of refused) {
      expect([r.code, Number(r.headers['retry-after'])]).toEqual([429, expect.any(Number)]);
      expect(JSON.parse(r.text)).toMatchObject({ kind: 'Status', reason: 'TooManyRequests', code: 429 });
      expect(r.headers['x-kubernetes-pf-flowschema-uid']).toBeTruthy();
    }
    expect((await call('GET', '/version', undefined, 'foo')).code).toBe(200);
    for (const r of held) r.finish('{}');
    expect((await Promise.all(held.map((r) => r.answer))).map((r) => r.code)).toEqual([201, 201]);
    const metrics = (await server.fetch('/metrics')).text;
    expect(metrics).toContain(
      `apiserver_flowcontrol_rejected_requests_total{priority_level="narrow",flow_schema="flood",reason="queue-full"} 3`,
    );
    expect(metrics).toMatch(/apiserver_flowcontrol_nominal_limit_seats\{priority_level="global-default"\} \d+/);
    expect(metrics).toMatch(
      /apiserver_flowcontrol_request_wait_duration_seconds_bucket\{priority_level="narrow",flow_schema="flood",execute="true",le="\+Inf"\} \d+/,
    );
  });

  it('can be looked at', async () => {
    const dump = async (what: string): Promise<string[]> =>
      (await server.fetch(`/debug/api_priority_and_fairness/dump_${what}`)).text.split('\n');
    const levelOf = (lines: readonly string[]): string => lines.find((l) => l.startsWith('narrow,')) ?? '';
    // The answers were there before their seats were free.
    const levels = await until(
      () => dump('priority_levels'),
      (lines) => /^narrow, +0, +true,/.test(levelOf(lines)),
    );
    expect(levels[0]?.split(/,\s+/).slice(0, 3)).toEqual(['PriorityLevelName', 'ActiveQueues', 'IsIdle']);
    expect(levelOf(levels)).toMatch(/^narrow, +0, +true, +false, +0, +0, +\d+, +\d+, +0, +0$/);
    expect((await dump('queues')).some((l) => l.startsWith('narrow,'))).toBe(true);
    expect((await dump('requests?includeRequestDetails=1'))[1]).toMatch(/^exempt, +exempt, +-1, +-1, .*kubernetes-admin, +get, +\/debug\//);
    const forAlice = await server.fetch('/debug/api_priority_and_fairness/dump_requests', { headers: { 'impersonate-user': 'alice' } });
    expect(forAlice.code).toBe(403);
  });
});

function disposable<T extends { close(): void }>(value: T): { value: T } & Disposable {
  return { value, [Symbol.dispose]: () => value.close() };
}

interface Slow {
  readonly answer: Promise<Answer>;
  finish(body: string): void;
}
/** A request whose body is sent later. */
function slowRequest(session: ClientHttp2Session, headers: Record<string, string>): Slow {
  const stream = session.request(headers);
  const answer = new Promise<Answer>((resolve, reject) => {
    let received: Answer['headers'] = {};
    const pieces: Buffer[] = [];
    stream.on('response', (h) => {
      received = h as Answer['headers'];
    });
    stream.on('data', (p: Buffer) => pieces.push(p));
    stream.on('end', () => resolve({ code: Number(received[':status']), headers: received, text: Buffer.concat(pieces).toString() }));
    stream.on('error', reject);
  });
  return { answer, finish: (body) => void stream.end(body) };
}
