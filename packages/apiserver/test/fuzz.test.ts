import type { ClientHttp2Session } from 'node:http2';
import {
  applyJsonPatch,
  applyMergePatch,
  type JsonPatchOperation,
  type Json,
  type JsonObject,
  parseJson,
  parseYaml,
  type ResourceDefinition,
} from '@skiff/apimachinery';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createRegistry } from '../src/registry/registry.ts';
import { protobufBodies, stringifyExactly } from '../src/request/protobuf-body.ts';
import { yamlText } from '../src/request/yaml-text.ts';
import { damaged } from './arbitrary-object.ts';
import { anyKind, anyObject, bounds, canonical, kindOf, objectOf, seconds, stable } from './fuzz-objects.ts';
import { type Answer, h2Request, startTestServer, type TestServer } from './test-server.ts';

describe('round trips of objects of all kinds', () => {
  it('through JSON, YAML and protobuf make the same object', () => {
    fc.assert(
      fc.property(anyObject, ({ k, object }) => {
        const d = kindOf(k);
        const text = stringifyExactly(object);
        const once = canonical(d, parseJson(text));
        expect(canonical(d, parseJson(once))).toBe(once);
        const parsed = parseJson(once).value as JsonObject;
        expect(canonical(d, parseYaml(yamlText(parsed)))).toBe(once);
        expect(canonical(d, parseJson(stringifyExactly(protobufBodies.decodeObject(protobufBodies.encodeObject(parsed)))))).toBe(once);
      }),
      bounds,
    );
  });
  it('through JSON patches that say what differs', () => {
    const two = anyKind.chain((k) => fc.tuple(objectOf(k), objectOf(k)));
    fc.assert(
      fc.property(two, ([a, b]) => {
        expect(stable(applyJsonPatch(structuredClone(a), operations(a, b)))).toBe(stable(b));
      }),
      { ...bounds, interruptAfterTimeLimit: 1000 },
    );
  });
  it('through merge patches that say what differs', () => {
    const two = anyKind.chain((k) => fc.tuple(objectOf(k), objectOf(k)));
    fc.assert(
      fc.property(two, ([a, b]) => {
        expect(stable(applyMergePatch(structuredClone(a), difference(a, b)))).toBe(stable(b));
      }),
      { ...bounds, interruptAfterTimeLimit: 1000 },
    );
  });
});

/** RFC 6902: what makes `b` of `a`. */
function operations(a: Json, b: Json, path = ''): JsonPatchOperation[] {
  if (stable(a) === stable(b)) return [];
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Array.isArray(a) || Array.isArray(b))
    return [{ op: 'replace', path, value: b }];
  const at = (key: string): string => `${path}/${key.replaceAll('~', '~0').replaceAll('/', '~1')}`;
  return [
    ...Object.keys(a).flatMap((key) => (Object.hasOwn(b, key) ? [] : [{ op: 'remove' as const, path: at(key) }])),
    ...Object.entries(b).flatMap(([key, value]) =>
      Object.hasOwn(a, key)
        ? operations(a[key] as Json, value as Json, at(key))
        : [{ op: 'add' as const, path: at(key), value: value as Json }],
    ),
  ];
}

/** RFC 7396: what makes `b` of `a`. Nulls can't be said. */
function difference(a: Json, b: Json): Json {
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null || Array.isArray(a) || Array.isArray(b)) return b;
  const out: Record<string, Json> = Object.create(null) as Record<string, Json>;
  for (const key of Object.keys(a)) if (!Object.hasOwn(b, key)) out[key] = null;
  for (const [key, value] of Object.entries(b))
    out[key] = Object.hasOwn(a, key) ? difference(a[key] as Json, value as Json) : (value as Json);
  return out;
}

describe('a server that is sent anything', () => {
  let server: TestServer;
  let session: ClientHttp2Session;
  beforeAll(async () => {
    server = await startTestServer(createRegistry);
    session = server.session();
  });
  afterAll(async () => {
    session.destroy();
    await server[Symbol.asyncDispose]();
  });

  /** What is stored of these would change how the server answers everything else. */
  const onlyDry = new Set([
    'admissionregistration.k8s.io',
    'apiextensions.k8s.io',
    'apiregistration.k8s.io',
    'flowcontrol.apiserver.k8s.io',
    'rbac.authorization.k8s.io',
  ]);
  const types = { json: 'application/json', yaml: 'application/yaml', protobuf: 'application/vnd.kubernetes.protobuf' } as const;
  const patchTypes = [
    'application/json-patch+json',
    'application/merge-patch+json',
    'application/strategic-merge-patch+json',
    'application/apply-patch+yaml',
  ] as const;

  const encoded = (type: keyof typeof types, object: JsonObject): Buffer => {
    if (type === 'protobuf') return protobufBodies.encodeObject(parseJson(stringifyExactly(object)).value as JsonObject);
    return Buffer.from(type === 'json' ? stringifyExactly(object) : yamlText(object));
  };
  const body = fc.tuple(anyObject, fc.constantFrom<keyof typeof types>('json', 'yaml', 'protobuf')).chain(([{ k, object }, type]) => {
    const named: JsonObject = { ...object, metadata: { ...(object['metadata'] as JsonObject | undefined), name: 'fuzz' } };
    const good = fc.constant(encoded(type, named));
    return fc.record({ k: fc.constant(k), type: fc.constant(type as string), body: fc.oneof(good, damaged(good)) });
  });
  const operation = fc.record({
    op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'x'),
    path: fc.constantFrom(
      '',
      '/',
      '/metadata/labels/a',
      '/spec',
      '/spec/-',
      '/spec/containers/0',
      '/metadata/name',
      '/a~1b',
      '/a~2',
      'spec',
    ),
    from: fc.constantFrom('', '/spec', '/metadata', '/nowhere'),
    value: fc.jsonValue({ maxDepth: 3 }) as fc.Arbitrary<Json>,
  });
  const patch = fc.tuple(anyObject, fc.constantFrom(...patchTypes)).chain(([{ k, object }, type]) => {
    const good = type.startsWith('application/json-patch')
      ? fc.array(operation, { maxLength: 5 }).map((o) => Buffer.from(stringifyExactly(o as unknown as Json)))
      : fc.constant(Buffer.from(stringifyExactly(object)));
    return fc.record({ k: fc.constant(k), type: fc.constant(type as string), body: fc.oneof(good, damaged(good)) });
  });

  const pathOf = (d: ResourceDefinition, named: boolean, query: string): string => {
    const root = d.group === '' ? `/api/${d.version}` : `/apis/${d.group}/${d.version}`;
    return `${root}${d.scope === 'Namespaced' ? '/namespaces/default' : ''}/${d.plural}${named ? '/fuzz' : ''}${query}`;
  };

  /** Upstream answers some mistakes of clients with a 500 that has no reason (a resourceVersion that is none, for one), and so does this. */
  function isFailure({ code, text }: Answer): boolean {
    if (code < 500) return false;
    if (code === 504 && text.includes('Too large resource version')) return false;
    return code !== 500 || text.includes('InternalError') || !text.includes('Status');
  }

  async function send(method: string, path: string, headers: Record<string, string>, payload: Buffer): Promise<void> {
    const r = await h2Request(session, { ':method': method, ':path': path, ...headers }, payload);
    const what = `${method} ${path} ${JSON.stringify(headers)} ${payload.toString('latin1').slice(0, 2000)} → ${r.code} ${r.text.slice(0, 1000)}`;
    if (isFailure(r)) throw new Error(what);
    if (r.code >= 400 && (JSON.parse(r.text) as { kind?: string }).kind !== 'Status') throw new Error(what);
  }

  it('answers creations and updates with something else than 5xx', async () => {
    await fc.assert(
      fc.asyncProperty(body, fc.boolean(), fc.constantFrom('', 'Strict', 'Warn', 'Ignore'), async (b, isUpdate, validation) => {
        const query = new URLSearchParams({
          ...(onlyDry.has(kindOf(b.k).group) ? { dryRun: 'All' } : {}),
          ...(validation === '' ? {} : { fieldValidation: validation }),
        });
        const headers = { 'content-type': types[b.type as keyof typeof types], accept: 'application/json' };
        await send(isUpdate ? 'PUT' : 'POST', pathOf(kindOf(b.k), isUpdate, `?${query.toString()}`), headers, b.body);
      }),
      bounds,
    );
  });
  it('answers patches with something else than 5xx', async () => {
    await fc.assert(
      fc.asyncProperty(patch, async (b) => {
        const dry = onlyDry.has(kindOf(b.k).group) ? '&dryRun=All' : '';
        await send(
          'PATCH',
          pathOf(kindOf(b.k), true, `?fieldManager=fuzz&force=true${dry}`),
          { 'content-type': b.type, accept: 'application/json' },
          b.body,
        );
      }),
      bounds,
    );
  });
  it('answers odd addresses and parameters with something else than 5xx', async () => {
    const parameter = fc.tuple(
      fc.constantFrom(
        'limit',
        'continue',
        'resourceVersion',
        'resourceVersionMatch',
        'labelSelector',
        'fieldSelector',
        'timeoutSeconds',
        'pretty',
        'sendInitialEvents',
        'includeObject',
      ),
      fc.oneof(
        fc.constantFrom(
          '0',
          '1',
          '-1',
          'true',
          'Exact',
          'NotOlderThan',
          'a=b',
          'a in (b,c)',
          '!a',
          'metadata.name=x',
          '99999999999999999999',
          'eyJ2IjoibWV0YS5rOHMuaW8vdjEifQ',
        ),
        fc.string({ maxLength: 12 }),
      ),
    );
    const accept = fc.constantFrom(
      'application/json',
      'application/yaml',
      types.protobuf,
      'application/json;as=Table;g=meta.k8s.io;v=v1',
      'application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1',
      '*/*',
      'text/plain',
    );
    const tail = fc.oneof(
      fc.constantFrom('', '/fuzz', '/fuzz/status', '/fuzz/scale', '/fuzz/log', '/%00', '/..', '//'),
      fc.string({ maxLength: 8 }).map((s) => `/${encodeURIComponent(s)}`),
    );
    await fc.assert(
      fc.asyncProperty(anyKind, fc.array(parameter, { maxLength: 3 }), accept, tail, async (k, parameters, format, end) => {
        const d = kindOf(k);
        const query = new URLSearchParams(parameters).toString();
        const r = await h2Request(session, { ':path': pathOf(d, false, `${end}?${query}`), accept: format });
        if (isFailure(r)) throw new Error(`${d.plural}${end}?${query} ${format} → ${r.code} ${r.text.slice(0, 500)}`);
      }),
      { ...bounds, interruptAfterTimeLimit: (seconds * 1000) / 2 },
    );
    expect((await server.fetch('/readyz')).code).toBe(200);
  });
});
