import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FakeClock, silentLogger } from '@skiff/component-base';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { RemoteError } from '../remote/remote-client.ts';
import { parseAuthorizationConfig } from './authorization-config.ts';
import { resourceAttributes, unionAuthorizer } from './authorizer.ts';
import { compileCondition, createWebhookAuthorizer, reviewSpec, type WebhookAuthorizerConfig } from './webhook.ts';

const user = { name: 'jane', uid: '1', groups: ['dev'], extra: { a: ['b'] } };
const asks = (verb = 'get', name = '') => resourceAttributes(user, { verb, resource: 'pods', version: 'v1', namespace: 'ns', name });

function setup(o: Partial<WebhookAuthorizerConfig> = {}) {
  const clock = new FakeClock();
  const asked: { apiVersion: string; spec: Record<string, unknown> }[] = [];
  const server = {
    answer: { status: { allowed: true, reason: 'because' } } as object | RemoteError,
    hang: undefined as Promise<void> | undefined,
  };
  const authorizer = createWebhookAuthorizer(
    {
      name: 'hook',
      apiVersion: 'authorization.k8s.io/v1',
      timeoutMs: 1000,
      allowedTtlMs: 60_000,
      refusedTtlMs: 10_000,
      onFailure: 'no-opinion',
      conditions: [],
      ...o,
    },
    {
      clock,
      log: silentLogger,
      client: {
        post: async (body) => {
          asked.push(JSON.parse(body) as (typeof asked)[number]);
          await server.hang;
          if (server.answer instanceof RemoteError) throw server.answer;
          return JSON.stringify(server.answer);
        },
        [Symbol.dispose]: () => undefined,
      },
    },
  );
  return { clock, asked, server, authorizer };
}

describe('webhook authorizer', () => {
  it('asks once, and remembers yes longer than no', async () => {
    const { authorizer, asked, clock, server } = setup();
    expect(await Promise.all([authorizer.authorize(asks()), authorizer.authorize(asks())])).toEqual([
      { decision: 'allow', reason: 'because' },
      { decision: 'allow', reason: 'because' },
    ]);
    expect(asked).toEqual([
      {
        kind: 'SubjectAccessReview',
        apiVersion: 'authorization.k8s.io/v1',
        metadata: {},
        spec: {
          user: 'jane',
          uid: '1',
          groups: ['dev'],
          extra: { a: ['b'] },
          resourceAttributes: { namespace: 'ns', verb: 'get', version: 'v1', resource: 'pods' },
        },
        status: { allowed: false },
      },
    ]);
    await clock.advance(59_000);
    expect(authorizer.authorize(asks())).toEqual({ decision: 'allow', reason: 'because' });
    await clock.advance(2_000);
    server.answer = { status: { allowed: false } };
    expect(await authorizer.authorize(asks())).toEqual({ decision: 'no-opinion', reason: '' });
    await clock.advance(9_000);
    expect(authorizer.authorize(asks())).toEqual({ decision: 'no-opinion', reason: '' });
    server.answer = { status: { allowed: true, denied: true, reason: 'never' } };
    await clock.advance(2_000);
    expect(await authorizer.authorize(asks())).toEqual({ decision: 'deny', reason: 'never' });
    expect(asked).toHaveLength(3);
  });

  it.each([
    ['no-opinion', new RemoteError('down', 400)],
    ['deny', new RemoteError('down', 400)],
    ['deny', { nothing: true }],
    ['deny', { status: [] }],
  ] as const)('when it fails: %s', async (onFailure, answer) => {
    const { authorizer, asked, server } = setup({ onFailure });
    server.answer = answer;
    expect(await authorizer.authorize(asks())).toEqual({ decision: onFailure, reason: '' });
    await authorizer.authorize(asks());
    expect(asked).toHaveLength(2);
  });

  it('tries again what may go better the next time', async () => {
    const { authorizer, asked, clock, server } = setup();
    server.answer = new RemoteError('busy', 503);
    const decision = authorizer.authorize(asks());
    for (let i = 0; i < 10; i++) await clock.advance(1000);
    expect(await decision).toEqual({ decision: 'no-opinion', reason: '' });
    expect(asked).toHaveLength(5);
  });

  it('is asked only where all conditions hold', async () => {
    const conditions = [
      'has(request.resourceAttributes)',
      "request.resourceAttributes.namespace == 'ns'",
      "!('admins' in request.groups)",
    ].map(compileCondition);
    const { authorizer, asked } = setup({ conditions, onFailure: 'deny' });
    expect(await authorizer.authorize(asks())).toMatchObject({ decision: 'allow' });
    expect(authorizer.authorize({ ...asks(), namespace: 'other' })).toEqual({ decision: 'no-opinion', reason: '' });
    expect(authorizer.authorize({ ...asks(), isResourceRequest: false, path: '/x' })).toEqual({ decision: 'no-opinion', reason: '' });
    expect(asked).toHaveLength(1);
    const broken = setup({ conditions: [compileCondition('request.nonResourceAttributes.path == "/"')], onFailure: 'deny' });
    expect(broken.authorizer.authorize(asks())).toEqual({ decision: 'deny', reason: '' });
    expect(() => compileCondition('request.nonsense')).toThrow('undefined field');
    expect(() => compileCondition('request.user')).toThrow('must evaluate to bool');
  });

  it('says which objects a list is for, and groups as v1beta1 calls them', async () => {
    const { authorizer, asked } = setup({ apiVersion: 'authorization.k8s.io/v1beta1' });
    const list = { ...asks('list'), fieldSelector: 'spec.nodeName=n1,status.phase!=Failed', labelSelector: 'a in (b,c),!d' };
    await authorizer.authorize(list);
    expect(asked[0]?.spec).toMatchObject({
      group: ['dev'],
      resourceAttributes: {
        fieldSelector: {
          requirements: [
            { key: 'spec.nodeName', operator: 'In', values: ['n1'] },
            { key: 'status.phase', operator: 'NotIn', values: ['Failed'] },
          ],
        },
        labelSelector: {
          requirements: [
            { key: 'a', operator: 'In', values: ['b', 'c'] },
            { key: 'd', operator: 'DoesNotExist' },
          ],
        },
      },
    });
    expect(reviewSpec({ ...list, labelSelector: '((', fieldSelector: '==' })).toMatchObject({ resourceAttributes: { verb: 'list' } });
  });

  it('in a chain: others before it need not wait, those after it do', async () => {
    const { authorizer, asked, server } = setup();
    const allow = { name: 'a', authorize: () => ({ decision: 'allow' as const, reason: 'mine' }) };
    const silent = { name: 's', authorize: () => ({ decision: 'no-opinion' as const, reason: 'nothing' }) };
    expect(unionAuthorizer([silent, allow, authorizer]).authorize(asks())).toEqual({ decision: 'allow', reason: 'mine' });
    expect(asked).toHaveLength(0);
    server.answer = { status: { allowed: false, reason: 'hook' } };
    expect(await unionAuthorizer([authorizer, allow]).authorize(asks())).toEqual({ decision: 'allow', reason: 'mine' });
    expect(await unionAuthorizer([silent, authorizer, silent]).authorize(asks('list'))).toEqual({
      decision: 'no-opinion',
      reason: 'nothing\nhook\nnothing',
    });
  });
});

describe('AuthorizationConfiguration', () => {
  let folder: string;
  beforeAll(() => {
    folder = mkdtempSync(join(tmpdir(), 'skiff-authz-'));
    const kubeconfig = {
      'current-context': 'a',
      contexts: [{ name: 'a', context: { cluster: 'a' } }],
      clusters: [{ name: 'a', cluster: { server: 'https://127.0.0.1:1/' } }],
    };
    writeFileSync(join(folder, 'kubeconfig'), JSON.stringify(kubeconfig));
  });
  afterAll(() => rmSync(folder, { recursive: true }));
  const config = (authorizers: string): string =>
    `kind: AuthorizationConfiguration\napiVersion: apiserver.config.k8s.io/v1\nauthorizers: ${authorizers.replaceAll('FOLDER', folder)}`;
  const hook = (fields: string): string =>
    `[{type: Webhook, name: hook, webhook: {timeout: 3s, subjectAccessReviewVersion: v1, failurePolicy: Deny, connectionInfo: {type: KubeConfigFile, kubeConfigFile: FOLDER/kubeconfig}, ${fields}}}]`;

  it('has authorizers in order', () => {
    const steps = parseAuthorizationConfig(
      config(
        `[{type: Node, name: node}, ${hook('matchConditionSubjectAccessReviewVersion: v1, matchConditions: [{expression: \'request.user == "x"\'}], authorizedTTL: 1m, cacheUnauthorizedRequests: false').slice(1, -1)}, {type: RBAC, name: rbac}]`,
      ),
    );
    expect(steps.map((s) => s.type)).toEqual(['Node', 'Webhook', 'RBAC']);
    expect(steps[1]).toMatchObject({ config: { name: 'hook', onFailure: 'deny', timeoutMs: 3000, allowedTtlMs: 60_000, refusedTtlMs: 0 } });
  });

  it.each([
    ['[]', 'at least one authorization mode'],
    ['[{type: ABAC, name: a}]', 'Unsupported value: "ABAC"'],
    ['[{type: RBAC, name: a}, {type: RBAC, name: b}]', 'Duplicate value: "RBAC"'],
    ['[{type: RBAC}]', 'authorizers[0].name: Required value'],
    ['[{type: RBAC, name: A_B}]', 'authorizer name is invalid'],
    ['[{type: RBAC, name: a, webhook: {}}]', 'may only be specified when type=Webhook'],
    ['[{type: Webhook, name: a}]', 'required when type=Webhook'],
    [hook('timeout: 31s'), 'must be > 0s and <= 30s'],
    [hook('subjectAccessReviewVersion: v2'), 'supported values: "v1", "v1beta1"'],
    [hook('failurePolicy: Maybe'), 'supported values: "NoOpinion", "Deny"'],
    [hook('connectionInfo: {type: KubeConfigFile, kubeConfigFile: relative}'), 'must be an absolute path'],
    [hook('connectionInfo: {type: InClusterConfig}'), 'not allowed for kube-apiserver'],
    [hook('matchConditions: [{expression: "true"}]'), 'required if match conditions are specified'],
    [hook('matchConditionSubjectAccessReviewVersion: v1, matchConditions: [{expression: "1"}]'), 'must evaluate to bool'],
    [hook('unknown: 1'), 'unknown field'],
  ])('refuses %s', (authorizers, why) => {
    const unique = authorizers
      .replace(/(timeout|subjectAccessReviewVersion|failurePolicy): \w+, (?=.*\1: )/, '')
      .replace(/connectionInfo: \{[^}]*kubeconfig\}, (?=.*connectionInfo)/, '');
    expect(() => parseAuthorizationConfig(config(unique))).toThrow(why);
  });
});
