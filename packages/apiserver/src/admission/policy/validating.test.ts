import { configMap, type ConfigMap } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { map, onConfigMaps, PolicyWorld } from './policy.fixture.ts';

const denial = (message: string): object => ({
  reason: 'Invalid',
  code: 422,
  message: `configmaps "m" is forbidden: ValidatingAdmissionPolicy 'p' with binding 'p-binding' denied request: ${message}`,
});

describe('validating policies', () => {
  it('deny by what expressions say of the object', async () => {
    const world = new PolicyWorld();
    world.validating('p', { validations: [{ expression: "object.data.mode != 'bad'" }] });
    await world.admit(map({ mode: 'good' }));
    await expect(world.admit(map({ mode: 'bad' }))).rejects.toMatchObject(denial("failed expression: object.data.mode != 'bad'"));
  });

  it.each([
    ['a message', { message: ' no way ' }, 'no way'],
    ['an expression that makes a message', { message: 'plain', messageExpression: "'not ' + object.data.mode" }, 'not bad'],
    ['a message where the expression fails', { message: 'plain', messageExpression: 'string(object.data.nothing)' }, 'plain'],
    ['a message where the expression makes lines', { message: 'plain', messageExpression: "'a\\nb'" }, 'plain'],
  ])('say %s', async (_, texts, said) => {
    const world = new PolicyWorld();
    world.validating('p', { validations: [{ expression: 'false', ...texts }] });
    await expect(world.admit(map({ mode: 'bad' }))).rejects.toMatchObject(denial(said));
  });

  it('answer with the reason that they are given', async () => {
    const world = new PolicyWorld();
    world.validating('p', { validations: [{ expression: 'false', reason: 'RequestEntityTooLarge' }] });
    await expect(world.admit(map())).rejects.toMatchObject({ reason: 'RequestEntityTooLarge', code: 413 });
  });

  it('warn and note for the audit log instead', async () => {
    const world = new PolicyWorld();
    world.validating(
      'p',
      { validations: [{ expression: 'true' }, { expression: 'false', message: 'no' }] },
      { validationActions: ['Warn', 'Audit'] },
    );
    const r = await world.admit(map());
    expect(r.warnings).toEqual(["Validation failed for ValidatingAdmissionPolicy 'p' with binding 'p-binding': no"]);
    expect(JSON.parse(world.annotations.get('validation.policy.admission.k8s.io/validation_failure') ?? '')).toEqual([
      { message: 'no', policy: 'p', binding: 'p-binding', expressionIndex: 1, validationActions: ['Warn', 'Audit'] },
    ]);
  });

  it('publish annotations, unless they are null or empty', async () => {
    const world = new PolicyWorld();
    world.validating('p', {
      auditAnnotations: [
        { key: 'mode', valueExpression: "'mode is ' + object.data.mode" },
        { key: 'none', valueExpression: 'null' },
        { key: 'empty', valueExpression: "''" },
      ],
    });
    await world.admit(map({ mode: 'x' }));
    expect([...world.annotations]).toEqual([['p/mode', 'mode is x']]);
  });

  it('see variables, old objects, namespaces and the request', async () => {
    const world = new PolicyWorld();
    world.validating('p', {
      variables: [
        { name: 'grew', expression: 'size(object.data) > size(oldObject.data)' },
        { name: 'ok', expression: '!variables.grew' },
      ],
      validations: [
        { expression: 'variables.ok', message: 'grew' },
        { expression: "namespaceObject.metadata.labels.team == 'x'" },
        { expression: "request.operation == 'UPDATE' && request.userInfo.username == 'bob' && request.resource.resource == 'configmaps'" },
        { expression: "request.kind.kind == 'ConfigMap' && request.name == 'm' && !has(request.subResource)" },
      ],
    });
    const old = { kind: 'ConfigMap', apiVersion: 'v1', ...map({ a: '1' }) };
    await world.admit(map({ a: '2' }), { operation: 'UPDATE', oldObject: old as never });
    await expect(world.admit(map({ a: '2', b: '1' }), { operation: 'UPDATE', oldObject: old as never })).rejects.toMatchObject(
      denial('grew'),
    );
  });

  it('select by the labels of a namespace that the cache has not seen yet', async () => {
    const world = new PolicyWorld();
    world.validating('p', {
      matchConstraints: { ...onConfigMaps, namespaceSelector: { matchLabels: { team: 'late' } } },
      validations: [{ expression: "namespaceObject.metadata.labels.team != 'late'", message: 'late' }],
    });
    world.objects.unseen = { metadata: { name: 'b', labels: { team: 'late' } } };
    await expect(world.admit(map(), { namespace: 'b' })).rejects.toMatchObject(denial('late'));
    await expect(world.admit(map(), { namespace: 'c' })).rejects.toMatchObject({ code: 404 });
    await world.admit(map());
  });

  it('are passed over where conditions do not hold', async () => {
    const world = new PolicyWorld();
    world.validating('p', {
      matchConditions: [
        { name: 'is-bad', expression: "object.data.mode == 'bad'" },
        { name: 'fails', expression: 'object.data.nothing == 1' },
      ],
      validations: [{ expression: 'false' }],
    });
    await world.admit(map({ mode: 'good' }));
    await expect(world.admit(map({ mode: 'bad' }))).rejects.toMatchObject({ code: 422 });
  });

  it.each([
    ['Fail', true],
    ['Ignore', false],
  ])('that can’t be evaluated: %s', async (failurePolicy, denies) => {
    const world = new PolicyWorld();
    world.validating('p', { failurePolicy, validations: [{ expression: 'object.data.nothing == "x"' }] });
    const outcome = world.admit(map());
    if (denies)
      await expect(outcome).rejects.toMatchObject(denial(`expression 'object.data.nothing == "x"' resulted in error: no such key: data`));
    else await outcome;
  });

  it('run once for each parameter', async () => {
    const world = new PolicyWorld();
    const limit = (name: string, max: string): void =>
      void world.objects.put<ConfigMap>(configMap, { metadata: { name, namespace: 'a', labels: { limit: 'yes' } }, data: { max } });
    world.validating(
      'p',
      {
        paramKind: { apiVersion: 'v1', kind: 'ConfigMap' },
        validations: [{ expression: 'size(object.data) <= int(params.data.max)', messageExpression: "'at most ' + params.data.max" }],
      },
      { paramRef: { selector: { matchLabels: { limit: 'yes' } }, parameterNotFoundAction: 'Deny' } },
    );
    const none = 'failed to configure binding: no params found for policy binding with `Deny` parameterNotFoundAction';
    await expect(world.admit(map({ a: '1' }))).rejects.toMatchObject(denial(none));
    limit('wide', '5');
    await world.admit(map({ a: '1' }));
    limit('narrow', '0');
    await expect(world.admit(map({ a: '1' }))).rejects.toMatchObject(denial('at most 0'));
  });

  it('with parameters of a kind that is not served deny', async () => {
    const world = new PolicyWorld();
    world.validating('p', { paramKind: { apiVersion: 'x.io/v1', kind: 'Limit' }, validations: [{ expression: 'true' }] });
    await expect(world.admit(map())).rejects.toMatchObject({
      message: expect.stringContaining(
        "ValidatingAdmissionPolicy 'p' denied request: failed to configure policy: failed to find resource referenced by paramKind: 'x.io/v1, Kind=Limit'",
      ),
    });
  });

  it('match by labels, names and exclusions', async () => {
    const world = new PolicyWorld();
    const rule = { operations: ['CREATE'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], scope: '*' };
    world.validating(
      'p',
      {
        validations: [{ expression: 'false' }],
        matchConstraints: {
          matchPolicy: 'Equivalent',
          namespaceSelector: { matchLabels: { team: 'x' } },
          objectSelector: { matchLabels: { app: 'web' } },
          resourceRules: [rule],
          excludeResourceRules: [{ ...rule, resourceNames: ['kept'] }],
        },
      },
      { matchResources: { matchPolicy: 'Exact', namespaceSelector: {}, objectSelector: { matchLabels: { tier: 'front' } } } },
    );
    await world.admit(map());
    await world.admit(map({}, { app: 'web' }));
    await expect(world.admit(map({}, { app: 'web', tier: 'front' }))).rejects.toMatchObject({ code: 422 });
    await world.admit({ metadata: { name: 'kept', namespace: 'a', labels: { app: 'web', tier: 'front' } } });
  });

  it.each([false, true])('ask an authorizer, each question once (slow: %j)', async (slow) => {
    const world = new PolicyWorld();
    world.slow = slow;
    const may = (verb: string): string => `authorizer.group('').resource('pods').check('${verb}').allowed()`;
    world.validating('p', {
      variables: [{ name: 'reads', expression: may('get') }],
      validations: [
        { expression: 'variables.reads' },
        { expression: `variables.reads && ${may('get')}` },
        { expression: may('list'), message: 'no list' },
      ],
    });
    await world.admit(map());
    expect(world.asked).toEqual(['get pods', 'list pods']);
    world.refused.add('list pods');
    await expect(world.admit(map())).rejects.toMatchObject(denial('no list'));
  });

  it('stop at their budget', async () => {
    const world = new PolicyWorld();
    const many = Object.fromEntries(Array.from({ length: 300 }, (_, i) => [`k${i}`, 'v']));
    world.validating('p', { validations: [{ expression: 'object.data.all(a, object.data.all(b, object.data.all(c, a + b != c)))' }] });
    await expect(world.admit(map(many))).rejects.toMatchObject({
      message: expect.stringContaining('resulted in error: operation cancelled: actual cost limit exceeded'),
    });
  });

  it('have no say about policies', async () => {
    const world = new PolicyWorld();
    world.validating('p', {
      validations: [{ expression: 'false' }],
      matchConstraints: {
        matchPolicy: 'Equivalent',
        namespaceSelector: {},
        objectSelector: {},
        resourceRules: [{ operations: ['*'], apiGroups: ['*'], apiVersions: ['*'], resources: ['*/*'], scope: '*' }],
      },
    });
    const { validatingAdmissionPolicy } = await import('@skiff/api');
    await world.admit({ metadata: { name: 'q' }, spec: {} }, { definition: validatingAdmissionPolicy as never, namespace: '' });
    await expect(world.admit(map())).rejects.toMatchObject({ code: 422 });
  });
});
