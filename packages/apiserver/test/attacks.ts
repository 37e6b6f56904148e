import { gzipSync } from 'node:zlib';

/** A request that means no good, and what it is answered with. Everything is about namespace `attacks`. */
export interface Attack {
  readonly name: string;
  readonly method: string;
  readonly path: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: () => string | Buffer;
  readonly code: number;
  /** In the message of the Status. */
  readonly says?: RegExp;
}

const json = { 'content-type': 'application/json' };
const yaml = { 'content-type': 'application/yaml' };
const protobuf = { 'content-type': 'application/vnd.kubernetes.protobuf' };
const patch = (type: string): Record<string, string> => ({ 'content-type': `application/${type}` });
const configMaps = '/api/v1/namespaces/attacks/configmaps';
const target = `${configMaps}/target`;
const configMap = (rest: string): string => `{"apiVersion":"v1","kind":"ConfigMap","metadata":{"name":"x"}${rest}}`;
const post = (name: string, body: () => string | Buffer, code: number, o: Partial<Attack> = {}): Attack => ({
  name,
  method: 'POST',
  path: configMaps,
  headers: json,
  body,
  code,
  ...o,
});
const patchOf = (name: string, type: string, body: () => string, code: number, o: Partial<Attack> = {}): Attack => ({
  name,
  method: 'PATCH',
  path: target,
  headers: patch(type),
  body,
  code,
  ...o,
});
const get = (name: string, path: string, code: number, o: Partial<Attack> = {}): Attack => ({ name, method: 'GET', path, code, ...o });
const nested = (open: string, close: string, depth: number): string => open.repeat(depth) + close.repeat(depth);
const selector = (part: string, n: number): string => encodeURIComponent(Array.from({ length: n }, (_, i) => `${part}${i}`).join(','));

/** Nested messages of field 1, in the envelope of a protobuf body. */
function nestedProtobuf(depth: number): Buffer {
  let inner = Buffer.alloc(0);
  for (let i = 0; i < depth; i++) inner = Buffer.concat([Buffer.from([0x0a]), varint(inner.length), inner]);
  return envelope(inner);
}
function varint(n: number): Buffer {
  const bytes: number[] = [];
  for (let rest = n; ; rest = Math.floor(rest / 128)) {
    bytes.push(rest < 128 ? rest : (rest % 128) | 0x80);
    if (rest < 128) return Buffer.from(bytes);
  }
}
function envelope(raw: Buffer): Buffer {
  const typeMeta = Buffer.concat([Buffer.from([0x0a, 2]), Buffer.from('v1'), Buffer.from([0x12, 9]), Buffer.from('ConfigMap')]);
  return Buffer.concat([
    Buffer.from('k8s\0'),
    Buffer.from([0x0a]),
    varint(typeMeta.length),
    typeMeta,
    Buffer.from([0x12]),
    varint(raw.length),
    raw,
  ]);
}
const groups = (n: number): Buffer => envelope(Buffer.concat([Buffer.alloc(n, 0x0b), Buffer.alloc(n, 0x0c)]));

export const attacks: readonly Attack[] = [
  // Sizes.
  post('a body over 3 MiB', () => configMap(`,"data":{"a":"${'x'.repeat(3 * 1024 * 1024)}"}`), 413, { says: /limit is 3145728/ }),
  post('gzip that becomes more than 3 MiB', () => gzipSync(Buffer.alloc(64 * 1024 * 1024)), 413, {
    headers: { ...json, 'content-encoding': 'gzip' },
  }),
  post('a ConfigMap over 1 MiB', () => configMap(`,"data":{"a":"${'x'.repeat(1024 * 1024 + 1)}"}`), 422, { says: /Too long/ }),
  post('annotations over 256 KiB', () => `{"metadata":{"name":"x","annotations":{"a":"${'x'.repeat(256 * 1024)}"}}}`, 422, {
    says: /metadata.annotations: Too long/,
  }),
  post('a long name', () => `{"metadata":{"name":"${'x'.repeat(100_000)}"}}`, 422),
  post('a long generateName', () => `{"metadata":{"generateName":"${'x'.repeat(100_000)}"}}`, 422),
  // Depth.
  post('100,000 nested lists', () => configMap(`,"data":{"a":${nested('[', ']', 100_000)}}`), 400),
  post('100,000 nested objects', () => configMap(`,"data":${nested('{"a":', '}', 100_000).replace('}', '1}')}`), 400),
  post('100,000 nested YAML lists', () => `data: ${nested('[', ']', 100_000)}`, 400, { headers: yaml }),
  post('100,000 brackets that never close', () => '['.repeat(100_000), 400),
  patchOf('a merge patch, 100,000 deep', 'merge-patch+json', () => `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`, 400),
  patchOf(
    'a strategic merge patch, 100,000 deep',
    'strategic-merge-patch+json',
    () => `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`,
    400,
  ),
  patchOf('an apply, 100,000 deep', 'apply-patch+yaml', () => `${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`, 400, {
    path: `${target}?fieldManager=m`,
  }),
  // Numbers of things.
  patchOf(
    'a JSON patch of 10,001 operations',
    'json-patch+json',
    () => JSON.stringify(Array.from({ length: 10_001 }, () => ({ op: 'test', path: '/kind', value: 'ConfigMap' }))),
    413,
    { says: /maximum operations in a JSON patch is 10000, got 10001/ },
  ),
  patchOf(
    'a JSON patch that copies into itself',
    'json-patch+json',
    () =>
      JSON.stringify([
        { op: 'add', path: '/data', value: { a: 'x'.repeat(1000) } },
        ...Array.from({ length: 40 }, (_, i) => ({ op: 'copy', from: '/data', path: `/data/c${i}` })),
      ]),
    422,
  ),
  post(
    'a YAML alias bomb',
    () =>
      `a: &a [x,x,x,x,x,x,x,x,x]\n${'bcdefghi'
        .split('')
        .map((c, i) => `${c}: &${c} [${Array.from({ length: 9 }, () => `*${'abcdefghi'[i]}`).join(',')}]`)
        .join('\n')}\n`,
    400,
    { headers: yaml },
  ),
  post('a YAML anchor that holds itself', () => 'metadata: &a\n  name: x\n  labels: *a\n', 400, { headers: yaml }),
  get('a label selector of 5,000 requirements', `${configMaps}?labelSelector=${selector('a', 5000)}`, 200),
  get('a label selector that is none', `${configMaps}?labelSelector=${encodeURIComponent('a in ('.repeat(5000))}`, 400),
  get(
    'a field selector of 2,000 requirements',
    `${configMaps}?fieldSelector=${encodeURIComponent(Array.from({ length: 2000 }, () => 'metadata.name=x').join(','))}`,
    200,
  ),
  get('a field selector of what every object of JavaScript has', `${configMaps}?fieldSelector=constructor%3Dx`, 400),
  post('a Secret of such a type', () => '{"metadata":{"name":"x"},"type":"constructor"}', 201, {
    path: '/api/v1/namespaces/attacks/secrets?dryRun=All',
  }),
  get('a field selector of an unknown field', `${configMaps}?fieldSelector=a.b.c%3Dx`, 400, {
    says: /^"a.b.c" is not a known field selector/,
  }),
  get('5,000 query parameters', `${configMaps}?${Array.from({ length: 5000 }, (_, i) => `p${i}=1`).join('&')}`, 200),
  // Encodings.
  post('no JSON', () => '{"metadata":', 400),
  post('nothing', () => '', 400),
  post('null', () => 'null', 422),
  post('a list', () => '[]', 400),
  post('a string', () => '"x"', 400),
  post('a number that no float holds', () => configMap(',"immutable":1e999'), 400),
  post('NaN', () => configMap(',"immutable":NaN'), 400),
  post(
    'bytes that are no UTF-8',
    () => Buffer.concat([Buffer.from('{"metadata":{"name":"'), Buffer.from([0xff, 0xfe]), Buffer.from('"}}')]),
    422,
  ),
  post('NULs', () => Buffer.alloc(1000), 400),
  post('UTF-16', () => Buffer.from(configMap(''), 'utf16le'), 400, { headers: { 'content-type': 'application/json; charset=utf-16' } }),
  post('gzip that is none', () => 'nope', 400, { headers: { ...json, 'content-encoding': 'gzip' } }),
  post('gzip that ends early', () => gzipSync(configMap('')).subarray(0, 20), 400, { headers: { ...json, 'content-encoding': 'gzip' } }),
  post('a content type that is not known', () => '<a/>', 415, { headers: { 'content-type': 'application/xml' } }),
  post('a content type that is none', () => '{}', 415, { headers: { 'content-type': ';;;;' } }),
  post('__proto__ and constructor', () => configMap(',"data":{"__proto__":"x","constructor":"y"},"__proto__":{"polluted":"yes"}'), 201, {
    path: `${configMaps}?dryRun=All`,
  }),
  post('a kind that is another', () => '{"apiVersion":"v1","kind":"Pod","metadata":{"name":"x"}}', 400),
  post('a version that is none', () => '{"apiVersion":"v1/a/b","kind":"ConfigMap","metadata":{"name":"x"}}', 400),
  post('a name that climbs', () => '{"metadata":{"name":"../../secrets/x"}}', 422),
  post('a namespace that is another', () => '{"metadata":{"name":"x","namespace":"kube-system"}}', 400),
  // Protobuf.
  post('protobuf without its magic', () => Buffer.from([0, 1, 2, 3, 4, 5]), 400, { headers: protobuf }),
  post('protobuf with a length beyond its end', () => envelope(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0x0f])), 400, {
    headers: protobuf,
  }),
  post('protobuf with a length of 2^63', () => envelope(Buffer.from([0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x7f])), 400, {
    headers: protobuf,
  }),
  post('protobuf with a number that never ends', () => envelope(Buffer.alloc(1000, 0xff)), 400, { headers: protobuf }),
  post('protobuf nested 5,000 deep', () => nestedProtobuf(5000), 422, { headers: protobuf }),
  post('protobuf groups', () => groups(50_000), 400, { headers: protobuf }),
  post('protobuf of field 0', () => envelope(Buffer.from([0x00, 0x01])), 400, { headers: protobuf }),
  // Addresses.
  get('..', '/api/v1/namespaces/attacks/configmaps/../secrets', 404),
  get('%2f in a name', '/api/v1/namespaces/attacks/configmaps/a%2fb', 404),
  get('a NUL in a name', '/api/v1/namespaces/attacks/configmaps/a%00b', 404),
  get('// in a path', '/api/v1//namespaces/attacks/configmaps', 404),
  get('a resource of a namespace that is cluster-wide', '/api/v1/namespaces/attacks/nodes/x', 404),
  get('a long name in a path', `/api/v1/namespaces/attacks/configmaps/${'x'.repeat(50_000)}`, 404),
  get('bad escapes', '/api/v1/namespaces/%zz/configmaps', 400),
  get('10,000 segments', `/api/v1/namespaces/attacks/configmaps/x${'/a'.repeat(10_000)}`, 404),
  // Tokens and versions of clients' invention.
  get('a continue token that is none', `${configMaps}?continue=abc`, 400, { says: /continue key is not valid/ }),
  get(
    'a continue token of elsewhere',
    `${configMaps}?limit=1&continue=${Buffer.from('{"v":"meta.k8s.io/v1","rv":1,"start":"../secrets/"}').toString('base64url')}`,
    400,
  ),
  get(
    'a continue token of another version',
    `${configMaps}?continue=${Buffer.from('{"v":"meta.k8s.io/v9","rv":1,"start":"a"}').toString('base64url')}`,
    400,
  ),
  get('a resourceVersion that is none', `${configMaps}?resourceVersion=abc`, 400),
  get('a negative resourceVersion', `${configMaps}?resourceVersion=-5`, 400),
  get('a resourceVersion beyond all numbers', `${configMaps}?resourceVersion=99999999999999999999999`, 400),
  get('a watch from no version', `${configMaps}?watch=1&resourceVersion=abc`, 500),
  get('a limit that is no number', `${configMaps}?limit=x`, 400),
  get('a timeout that is none', `${configMaps}?timeout=x`, 400),
  get('an accept that is none', configMaps, 406, { headers: { accept: 'text/html;q=x' } }),
  // Methods.
  { name: 'a method of nobody', method: 'PROPFIND', path: configMaps, code: 405 },
  { name: 'a patch of an unknown type', method: 'PATCH', path: target, headers: patch('x-patch'), body: () => '{}', code: 415 },
  patchOf('a JSON patch that is none', 'json-patch+json', () => '{"op":"add"}', 400),
  patchOf('a JSON patch of an unknown operation', 'json-patch+json', () => '[{"op":"burn","path":"/data"}]', 422),
  patchOf('a JSON patch to nowhere', 'json-patch+json', () => '[{"op":"replace","path":"/nowhere/at/all","value":1}]', 422),
  patchOf(
    'a JSON patch with a huge index',
    'json-patch+json',
    () => '[{"op":"add","path":"/metadata/finalizers/99999999999","value":"a"}]',
    422,
  ),
  patchOf('a merge patch that is a list', 'merge-patch+json', () => '[]', 400),
  patchOf('a strategic patch with a directive of nobody', 'strategic-merge-patch+json', () => '{"$patch":"burn"}', 500),
  patchOf('a patch of another name', 'merge-patch+json', () => '{"metadata":{"name":"other"}}', 400),
  patchOf('a patch of another uid', 'merge-patch+json', () => '{"metadata":{"uid":"1"}}', 422),
  patchOf('a patch of __proto__', 'merge-patch+json', () => '{"data":{"__proto__":"x"}}', 200),
  patchOf('an apply without a manager', 'apply-patch+yaml', () => '{}', 422),
];
