/**
 * Sends many objects of each kind, right ones and wrong ones, to two apiservers and tells where their answers differ:
 * `npx tsx --conditions=skiff-source scripts/compare/kinds.ts <upstream's URL> <Skiff's URL> <directory of ca.crt, admin.crt, admin.key> [kind …]`
 * Everything is a dry run but one object of each kind, which is deleted afterwards. Namespace `kinds`. Pods on the side of Skiff need
 * a ServiceAccount, which is made here. The objects stand in objects.yaml; mutations.ts makes wrong ones of them.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { setTimeout } from 'node:timers/promises';
import { type Json, type JsonObject, parseYaml, type ResourceDefinition } from '@skiff/apimachinery';
import { builtinResources, builtinSchemas } from '../../packages/api/src/index.ts';
import { comparable, differences } from './answers.ts';
import { type Answer, connect, type Server } from './client.ts';
import { type Mutation, mutationsOf } from './mutations.ts';

const [upstreamUrl = '', skiffUrl = '', directory = '', ...only] = process.argv.slice(2);
using upstream = connect(upstreamUrl, directory);
using skiff = connect(skiffUrl, directory);
const both = [upstream, skiff] as const;
const atOnce = 12;

const documents = readFileSync(new URL('objects.yaml', import.meta.url), 'utf8').split('\n---\n');
const objects = documents.map((text) => parseYaml(text).value as JsonObject);

const definitionOf = (object: JsonObject): ResourceDefinition => {
  const apiVersion = object['apiVersion'];
  const found = builtinResources.find(
    (d) => d.kind === object['kind'] && (d.group === '' ? d.version : `${d.group}/${d.version}`) === apiVersion,
  );
  if (found === undefined) throw new Error(`no kind ${String(object['kind'])} in ${String(apiVersion)}`);
  return found;
};
const pathOf = (d: ResourceDefinition): string =>
  `${d.group === '' ? `/api/${d.version}` : `/apis/${d.group}/${d.version}`}/${d.scope === 'Namespaced' ? 'namespaces/kinds/' : ''}${d.plural}`;

interface Difference {
  readonly title: string;
  readonly lines: readonly string[];
}
const found: Difference[] = [];
let compared = 0;

function compare(title: string, [a, b]: readonly Answer[]): void {
  compared += 1;
  if (a === undefined || b === undefined) throw new Error('two answers are needed');
  if (a.code === 0) {
    console.log(`no answer from the first server to ${title}`);
    return;
  }
  const lines = differences(comparable(a), comparable(b));
  if (lines.length > 0) found.push({ title, lines });
}

const ask = (method: string, path: string, bodyFor: (s: Server) => JsonObject | undefined): Promise<Answer[]> =>
  Promise.all(both.map((s) => s.call(method, path, bodyFor(s), method === 'PATCH' ? { contentType: 'application/merge-patch+json' } : {})));

async function each<T>(items: Iterable<T>, run: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  await Promise.all(
    Array.from({ length: atOnce }, async () => {
      for (let next = iterator.next(); next.done !== true; next = iterator.next()) await run(next.value);
    }),
  );
}

const tables = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json';
const ages = /"(?:<unknown>|\d+[smhd](?:\d+[smhd])?|\d+ \w+ ago)"/g;

/** Descriptions are in each project's own words. */
const columns = (table: JsonObject): Json =>
  ((table['columnDefinitions'] ?? []) as JsonObject[]).map(({ description: _d, ...column }) => column);

/** The table of one object, and of all with their metadata. */
async function compareTables(title: string, object: string, list: string): Promise<void> {
  for (const [what, path] of [
    ['table', object],
    ['table of all', `${list}?includeObject=None&fieldSelector=metadata.name%3D${object.split('/').at(-1)}`],
  ] as const) {
    const answers = await Promise.all(both.map((s) => s.call('GET', path, undefined, { accept: tables })));
    const young = answers.map((a) => {
      const body = JSON.parse(JSON.stringify(a.body).replace(ages, '"AGE"')) as JsonObject;
      const rows = ((body['rows'] ?? []) as JsonObject[]).map((row) => row['cells'] ?? null);
      return { ...a, body: { columns: columns(body), rows, message: body['message'] ?? null } as unknown as JsonObject };
    });
    compare(`${title} ${what}`, young);
  }
}

/** A stored object as a client would send it back: with the revision and identity that it has at the server that it goes to. */
function sentBack(object: JsonObject, from: JsonObject, at: JsonObject): JsonObject {
  const { managedFields: _m, uid: _u, creationTimestamp: _c, ...meta } = (object['metadata'] ?? {}) as JsonObject;
  const text = JSON.stringify({ ...object, metadata: { ...meta, resourceVersion: at['resourceVersion'] ?? null } });
  return JSON.parse(text.replaceAll(String(from['uid']), String(at['uid']))) as JsonObject;
}

/** The object's metadata once nothing in the server changes it any more. */
async function settled(s: Server, path: string): Promise<JsonObject> {
  let last: Json | undefined;
  for (;;) {
    const meta = (await s.call('GET', path)).body['metadata'] as JsonObject;
    if (meta['resourceVersion'] === last) return meta;
    last = meta['resourceVersion'];
    await setTimeout(300);
  }
}

async function clear(path: string, name: string, d: ResourceDefinition): Promise<void> {
  await Promise.all(
    both.map(async (s) => {
      const options = `?gracePeriodSeconds=0&propagationPolicy=Background`;
      await s.call('DELETE', `${path}/${name}${options}`);
      if (d.kind === 'Namespace') {
        const { body, code } = await s.call('GET', `${path}/${name}`);
        if (code === 200) await s.call('PUT', `${path}/${name}/finalize`, { ...body, spec: { finalizers: [] } });
      }
      await s.call('PATCH', `${path}/${name}`, { metadata: { finalizers: null } }, { contentType: 'application/merge-patch+json' });
    }),
  );
}

async function compareUpdates(title: string, object: JsonObject, d: ResourceDefinition): Promise<void> {
  const path = pathOf(d);
  const { status, ...plain } = object;
  const name = String((object['metadata'] as JsonObject)['name']);
  await clear(path, name, d);
  const created = await ask('POST', path, () => plain);
  if (created.some((c) => c.code !== 201)) {
    compare(`${title} create`, created);
    return;
  }
  const stored: JsonObject = { ...created[0]?.body };
  if (d.kind === 'Service' && (stored['spec'] as JsonObject)['clusterIP'] !== 'None') {
    const { clusterIP: _ip, clusterIPs: _ips, healthCheckNodePort: _port, ...spec } = stored['spec'] as JsonObject;
    stored['spec'] = spec;
  }
  const again = await ask('GET', `${path}/${name}`, () => undefined);
  compare(`${title} get`, again);
  if (status !== undefined && d.subresources?.['status'] !== undefined) {
    // Filled in for good, so that tables show it; what is wrong with it is compared below.
    await ask('PATCH', `${path}/${name}/status`, () => ({ status }));
  }
  await compareTables(title, `${path}/${name}`, path);
  const metas = new Map<Server, JsonObject>(await Promise.all(both.map(async (s) => [s, await settled(s, `${path}/${name}`)] as const)));
  const from = metas.get(upstream) ?? {};
  const put = (what: string, subresource: string) => async (m: Mutation) =>
    compare(
      `${title} ${what} ${m.path} ${m.what}`,
      await ask('PUT', `${path}/${name}${subresource}?dryRun=All`, (s) => sentBack(m.object, from, metas.get(s) ?? {})),
    );
  await put('update', '')({ path: '', what: 'unchanged', object: stored });
  await each(mutationsOf(stored, builtinSchemas, d.schemaName), put('update', ''));
  if (d.subresources?.['status'] !== undefined && status !== undefined) {
    const full = { ...stored, status };
    await put('status', '/status')({ path: '', what: 'full', object: full });
    await each(mutationsOf(full, builtinSchemas, d.schemaName, 'status'), put('status', '/status'));
  }
  await clear(path, name, d);
}

const review: ReadonlySet<string> = new Set(['create']);
await Promise.all(both.map((s) => s.call('POST', '/api/v1/namespaces', { metadata: { name: 'kinds' } })));
await Promise.all(both.map((s) => s.call('POST', '/api/v1/namespaces/kinds/serviceaccounts', { metadata: { name: 'default' } })));
const numbers = new Map<string, number>();
for (const object of objects) {
  const d = definitionOf(object);
  if (only.length > 0 && !only.includes(d.kind)) continue;
  const number = (numbers.get(d.schemaName) ?? 0) + 1;
  numbers.set(d.schemaName, number);
  const title = `${d.group}/${d.version} ${d.kind}#${number}`;
  const before = { compared, found: found.length };
  const path = pathOf(d);
  const { status: _status, ...plain } = object;
  const post = async (m: Mutation): Promise<void> =>
    compare(`${title} create ${m.path} ${m.what}`, await ask('POST', `${path}?dryRun=All`, () => m.object));
  const name = (object['metadata'] as JsonObject | undefined)?.['name'];
  const isReview = d.verbs.length === 1 && review.has(d.verbs[0] ?? '');
  if (!isReview) await clear(path, String(name), d);
  const [asItIs] = await ask('POST', `${path}?dryRun=All`, () => plain);
  if (asItIs?.code !== 201) console.log(`${title} is not taken by the first server: ${JSON.stringify(asItIs?.body['message'])}`);
  await post({ path: '', what: 'as it is', object: plain });
  await each(mutationsOf(plain, builtinSchemas, d.schemaName), post);
  if (!isReview) await compareUpdates(title, object, d);
  writeFileSync('compare-kinds.txt', found.map(({ title: t, lines }) => `${t}\n${lines.map((l) => `    ${l}\n`).join('')}`).join(''));
  console.log(`${title}: ${compared - before.compared} compared, ${found.length - before.found} differ`);
}
console.log(`${compared} compared, ${found.length} differ: compare-kinds.txt`);
