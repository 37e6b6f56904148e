import {
  builtinResources,
  configMap,
  endpointSlice,
  mutatingWebhookConfiguration,
  namespace,
  service,
  validatingWebhookConfiguration,
  type EndpointSlice,
  type MutatingWebhook,
  type MutatingWebhookConfiguration,
  type Namespace,
  type Service,
  type ValidatingWebhookConfiguration,
} from '@skiff/api';
import type { JsonObject, ResourceDefinition } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import type { Authorizer } from '../../authz/authorizer.ts';
import type { AdmissionRequest } from '../../contract.ts';
import { FakeObjects } from '../../object-access.fake.ts';
import { createAdmissionChain } from '../plugin.ts';
import { type WebhookClient, WebhookError, type WebhookTarget } from './client.ts';
import { mutatingWebhooks, validatingWebhooks } from './webhooks.ts';

type Answer = { allowed?: boolean; patch?: object[]; status?: object; warnings?: string[] } | Error;
const hook = (name: string, more: Partial<MutatingWebhook> = {}): MutatingWebhook => ({
  name,
  clientConfig: { url: `https://hooks.example/${name}` },
  rules: [{ operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], scope: '*' }],
  failurePolicy: 'Fail',
  matchPolicy: 'Equivalent',
  sideEffects: 'None',
  timeoutSeconds: 3,
  admissionReviewVersions: ['v1'],
  reinvocationPolicy: 'Never',
  ...more,
});

function world(hooks: readonly MutatingWebhook[], answers: Record<string, Answer | ((object: JsonObject) => Answer)>, validating = false) {
  const objects = new FakeObjects();
  objects.put<Namespace>(namespace, { metadata: { name: 'a', labels: { team: 'x' } } });
  const configuration = { metadata: { name: 'c' }, webhooks: hooks };
  if (validating)
    objects.put<ValidatingWebhookConfiguration>(
      validatingWebhookConfiguration,
      structuredClone(configuration) as ValidatingWebhookConfiguration,
    );
  else
    objects.put<MutatingWebhookConfiguration>(mutatingWebhookConfiguration, structuredClone(configuration) as MutatingWebhookConfiguration);
  const calls: { name: string; version: unknown; target: WebhookTarget; request: JsonObject; timeoutMs: number }[] = [];
  const client: WebhookClient = {
    post: async (target, body, o) => {
      const name = target.url.pathname.slice(1);
      const request = body['request'] as JsonObject;
      calls.push({ name, version: body['apiVersion'], target, request: structuredClone(request), timeoutMs: o.timeoutMs });
      const given = answers[name] ?? { allowed: true };
      const answer = typeof given === 'function' ? given(request['object'] as JsonObject) : given;
      if (answer instanceof Error) throw answer;
      const patch: { patchType?: string; patch?: string } =
        answer.patch === undefined ? {} : { patchType: 'JSONPatch', patch: Buffer.from(JSON.stringify(answer.patch)).toString('base64') };
      const { allowed = true, status, warnings } = answer;
      const response = {
        uid: request['uid'],
        allowed,
        ...patch,
        ...(status === undefined ? {} : { status }),
        ...(warnings === undefined ? {} : { warnings }),
      };
      // As old webhooks answer: without kind, uid and type of patch.
      if (body['apiVersion'] === 'admission.k8s.io/v1beta1') return { response: { allowed, patch: patch.patch } };
      return { kind: 'AdmissionReview', apiVersion: 'admission.k8s.io/v1', response };
    },
  };
  const deps = {
    objects,
    client: () => client,
    definitions: () => builtinResources,
    convert: unexpectedConversion,
    authorizer: () => readers,
  };
  const chain = createAdmissionChain([mutatingWebhooks(deps), validatingWebhooks(deps)]);
  const admit = async (object: unknown, more: Partial<AdmissionRequest> = {}): Promise<AdmissionRequest> => {
    const r: AdmissionRequest = {
      operation: 'CREATE',
      definition: configMap as unknown as ResourceDefinition,
      subresource: '',
      namespace: 'a',
      name: '',
      object: { kind: 'ConfigMap', apiVersion: 'v1', ...(object as JsonObject) },
      oldObject: null,
      options: {},
      dryRun: false,
      user: { name: 'bob', groups: ['g'] },
      warnings: [],
      memo: new Map(),
      ...more,
    };
    const lifetime = new AbortController();
    await chain.mutate(r, lifetime);
    await chain.validate(r, lifetime);
    return r;
  };
  return { objects, calls, admit };
}
const map = (data: JsonObject = {}): JsonObject => ({ metadata: { name: 'm', namespace: 'a', labels: { app: 'web' } }, data });

/** Whoever asks may get pods. */
const readers: Authorizer = {
  name: 'readers',
  authorize: (a) => ({ decision: a.verb === 'get' && a.resource === 'pods' ? 'allow' : 'no-opinion', reason: '' }),
};
const unexpectedConversion = (): Promise<never> => Promise.reject(new Error('nothing is converted here'));

describe('reviews of an older version', () => {
  it('are spoken with webhooks that name it first, which may leave things out', async () => {
    const patch = [{ op: 'add', path: '/data/x', value: 'yes' }];
    const old = world([hook('old', { admissionReviewVersions: ['v2', 'v1beta1', 'v1'] })], { old: { patch } });
    expect((await old.admit(map({ k: 'v' }))).object?.['data']).toEqual({ k: 'v', x: 'yes' });
    expect(old.calls.map((c) => c.version)).toEqual(['admission.k8s.io/v1beta1']);
    const unknown = world([hook('new', { admissionReviewVersions: ['v2'] })], {});
    await expect(unknown.admit(map())).rejects.toThrow('webhook does not accept known AdmissionReview versions (v1, v1beta1)');
  });
});

describe('mutating webhooks', () => {
  it('change the object one after the other, and again where they ask for it', async () => {
    const add = (key: string) => ({ patch: [{ op: 'add', path: `/data/${key}`, value: 'yes' }] });
    const { admit, calls } = world([hook('first', { reinvocationPolicy: 'IfNeeded' }), hook('second'), hook('third')], {
      first: (object) => ((object['data'] as JsonObject)['second'] === undefined ? add('first') : add('again')),
      second: add('second'),
      third: { warnings: ['careful'] },
    });
    const r = await admit(map({ k: 'v' }));
    expect(r.object?.['data']).toEqual({ k: 'v', first: 'yes', second: 'yes', again: 'yes' });
    expect(calls.map((c) => c.name)).toEqual(['first', 'second', 'third', 'first']);
    expect(r.warnings).toEqual(['careful']);
    expect(calls[0]).toMatchObject({
      timeoutMs: 3000,
      request: {
        kind: { group: '', version: 'v1', kind: 'ConfigMap' },
        resource: { group: '', version: 'v1', resource: 'configmaps' },
        operation: 'CREATE',
        name: 'm',
        namespace: 'a',
        userInfo: { username: 'bob', groups: ['g'] },
        oldObject: null,
      },
    });
  });

  it('are heard only by rule and selector, never about admission itself', async () => {
    const other = { rules: [{ operations: ['UPDATE'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'] }] };
    const { admit, calls } = world(
      [
        hook('rule', other),
        hook('object', { objectSelector: { matchLabels: { app: 'db' } } }),
        hook('namespace', { namespaceSelector: { matchLabels: { team: 'y' } } }),
        hook('hit', { objectSelector: { matchLabels: { app: 'web' } }, namespaceSelector: { matchLabels: { team: 'x' } } }),
      ],
      {},
    );
    await admit(map());
    expect(calls.map((c) => c.name)).toEqual(['hit']);
    const all = hook('all', { rules: [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*'] }] });
    const exempt = world([all], {});
    await exempt.admit(
      { metadata: { name: 'x' } },
      { definition: mutatingWebhookConfiguration as unknown as ResourceDefinition, namespace: '' },
    );
    expect(exempt.calls).toEqual([]);
  });

  it('hear of what is in a namespace that the cache has not seen yet', async () => {
    const { admit, calls, objects } = world([hook('late', { namespaceSelector: { matchLabels: { team: 'late' } } })], {});
    objects.unseen = { metadata: { name: 'b', labels: { team: 'late' } } };
    await admit(map(), { namespace: 'b' });
    expect(calls).toHaveLength(1);
    await expect(admit(map(), { namespace: 'c' })).rejects.toMatchObject({ code: 404 });
  });

  it('hear of another version of the same objects in the version that they know', async () => {
    const of = (version: string) => builtinResources.find((d) => d.group === 'autoscaling' && d.version === version) as ResourceDefinition;
    const rules = [{ operations: ['CREATE'], apiGroups: ['autoscaling'], apiVersions: ['v2'], resources: ['horizontalpodautoscalers'] }];
    const object = {
      kind: 'HorizontalPodAutoscaler',
      apiVersion: 'autoscaling/v1',
      metadata: { name: 'h', namespace: 'a' },
      spec: { maxReplicas: 3, targetCPUUtilizationPercentage: 50, scaleTargetRef: { kind: 'Deployment', name: 'd' } },
    };
    const { admit, calls } = world([hook('v2', { rules })], { v2: { patch: [{ op: 'replace', path: '/spec/maxReplicas', value: 5 }] } });
    const r = await admit(object, { definition: of('v1') });
    expect(calls[0]?.request).toMatchObject({
      kind: { version: 'v2' },
      requestKind: { version: 'v1' },
      object: { apiVersion: 'autoscaling/v2', spec: { metrics: [{ type: 'Resource' }] } },
    });
    expect(r.object).toMatchObject({ apiVersion: 'autoscaling/v1', spec: { maxReplicas: 5, targetCPUUtilizationPercentage: 50 } });
    const exact = world([hook('v2', { rules, matchPolicy: 'Exact' })], {});
    await exact.admit(object, { definition: of('v1') });
    expect(exact.calls).toEqual([]);
  });
});

describe('validating webhooks', () => {
  it.each([
    [{ allowed: false, status: { code: 403, message: 'not today' } }, 'admission webhook "no" denied the request: not today', 403],
    [{ allowed: false, status: { reason: 'because' } }, 'admission webhook "no" denied the request: because', undefined],
    [{ allowed: false }, 'admission webhook "no" denied the request without explanation', 400],
    [
      new WebhookError('Post "https://x": boom'),
      'Internal error occurred: failed calling webhook "no": failed to call webhook: Post "https://x": boom',
      500,
    ],
  ])('refuse by %j', async (answer, message, code) => {
    const { admit } = world([hook('no')], { no: answer }, true);
    const refused = await admit(map()).then(
      () => undefined,
      (error: unknown) => error as { message: string; code: number },
    );
    expect(refused?.message).toBe(message);
    if (code !== undefined) expect(refused?.code).toBe(code);
  });

  it('may fail where that is said', async () => {
    const { admit, calls } = world([hook('off', { failurePolicy: 'Ignore' })], { off: new WebhookError('down') }, true);
    await admit(map());
    expect(calls).toHaveLength(1);
  });

  it('are found through their Service: a ready pod behind it', async () => {
    const behind = { service: { namespace: 'a', name: 'svc', path: '/check', port: 8443 }, caBundle: Buffer.from('ca').toString('base64') };
    const { admit, calls, objects } = world([hook('check', { clientConfig: behind })], {}, true);
    await expect(admit(map())).rejects.toThrow('service "svc" not found');
    objects.put<Service>(service, { metadata: { name: 'svc', namespace: 'a' }, spec: { ports: [{ port: 8443, name: 'https' }] } });
    await expect(admit(map())).rejects.toThrow('no endpoints available for service "svc"');
    objects.put<EndpointSlice>(endpointSlice, {
      metadata: { name: 's', namespace: 'a', labels: { 'kubernetes.io/service-name': 'svc' } },
      addressType: 'IPv4',
      endpoints: [
        { addresses: ['10.1.1.1'], conditions: { ready: false } },
        { addresses: ['10.1.1.2'], conditions: { ready: true } },
      ],
      ports: [{ name: 'https', port: 443 }],
    });
    await admit(map());
    expect(calls[0]?.target).toMatchObject({ serverName: 'svc.a.svc', route: { host: '10.1.1.2', port: 443 }, ca: 'ca' });
    expect(calls[0]?.target.url.href).toBe('https://svc.a.svc:8443/check');
  });

  it('are spared what their conditions leave out', async () => {
    const conditions = (...expressions: string[]) => ({
      matchConditions: expressions.map((expression, i) => ({ name: `c${i}`, expression })),
    });
    const { calls, admit } = world(
      [
        hook('web', conditions("object.metadata.labels['app'] == 'web'", 'request.operation == "CREATE" && oldObject == null')),
        hook('other', conditions('object.metadata.name == "other"')),
        hook('allowed', conditions("authorizer.group('').resource('pods').check('get').allowed() && request.userInfo.username == 'bob'")),
        hook('denied', conditions("authorizer.requestResource.check('delete').allowed()")),
        hook('quiet', { ...conditions('object.data.x == "y"'), failurePolicy: 'Ignore' }),
        hook('false-first', conditions('object.data.x == "y"', 'false')),
      ],
      {},
    );
    await admit(map());
    expect(calls.map((c) => c.name)).toEqual(['web', 'allowed']);
  });

  it.each([false, true])('say no where a condition fails and they may not (validating: %s)', async (validating) => {
    const failing = hook('h', { matchConditions: [{ name: 'c', expression: 'object.data.x == "y"' }] });
    const { calls, admit } = world([failing], {}, validating);
    await expect(admit(map(), { name: 'm' })).rejects.toMatchObject({
      reason: 'Forbidden',
      message: `configmaps "m" is forbidden: expression 'object.data.x == "y"' resulted in error: no such key: data`,
    });
    expect(calls).toEqual([]);
  });
});
