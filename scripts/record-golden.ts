/**
 * Records how an upstream kube-apiserver answers the cases of packages/api/src/golden: dry-run writes in namespace `golden`.
 * Run it as `npx tsx --conditions=skiff-source scripts/record-golden.ts <server> <ca> <certificate> <key> [file …]` against a server
 * whose mutating admission is off (ServiceAccount, Priority, DefaultTolerationSeconds and the like).
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import type { JsonObject, ResourceDefinition, Status } from '@skiff/apimachinery';
import * as api from '../packages/api/src/index.ts';
import { type GoldenCase, type Recorded, stable, withoutAllocations } from '../packages/api/src/golden/case.ts';
import { goldenCases } from '../packages/api/src/golden/cases.ts';
import { mergePatch } from '../packages/api/src/golden/pipeline.ts';

const [server = '', ca = '', cert = '', key = '', ...files] = process.argv.slice(2);
const agent = new Agent({ ca: readFileSync(ca), cert: readFileSync(cert), key: readFileSync(key), keepAlive: true });

const uuid = /[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}/g;
/** Told by the apiserver whatever is written. */
const deprecatedKind = /^v1 \w+ is deprecated in /;

interface Answer {
  readonly code: number;
  readonly body: JsonObject;
  readonly warnings: readonly string[];
}

function call(method: string, path: string, body?: JsonObject): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const r = request(`${server}${path}`, { method, agent, headers: { 'content-type': 'application/json' } }, (response) => {
      const chunks: Buffer[] = [];
      response.on('data', (chunk: Buffer) => chunks.push(chunk));
      response.on('error', reject);
      response.on('end', () => {
        const header = response.headers['warning'] ?? '';
        const warnings = [...header.matchAll(/299 - ("(?:[^"\\]|\\.)*")/g)]
          .map((m) => JSON.parse(m[1] ?? '""') as string)
          .filter((text) => !deprecatedKind.test(text));
        resolve({ code: response.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) as JsonObject, warnings });
      });
    });
    r.on('error', reject);
    r.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

function outcome(name: string, { code, body, warnings }: Answer): Recorded {
  if (code < 300) return { name, object: withoutAllocations(stable(body)), warnings };
  const status = JSON.parse(JSON.stringify(body).replaceAll(uuid, 'UID')) as Status;
  const causes = [...new Map((status.details?.causes ?? []).map((c) => [JSON.stringify(c), c])).values()];
  return { name, status: { code, reason: status.reason ?? '', message: status.message ?? '', causes: causes as never }, warnings };
}

async function record(c: GoldenCase): Promise<Recorded> {
  const d = (api as unknown as Record<string, ResourceDefinition>)[c.resource];
  if (d === undefined) throw new Error(`no resource ${c.resource}`);
  const root = d.group === '' ? `/api/${d.version}` : `/apis/${d.group}/${d.version}`;
  const path = `${root}/${d.scope === 'Namespaced' ? 'namespaces/golden/' : ''}${d.plural}`;
  const object = { apiVersion: d.group === '' ? d.version : `${d.group}/${d.version}`, kind: d.kind, ...c.object };
  const created = await call('POST', `${path}${c.change === undefined ? '?dryRun=All' : ''}`, object);
  if (c.change === undefined || created.code >= 300) return outcome(c.name, created);
  const name = (created.body['metadata'] as JsonObject)['name'] as string;
  const target = `${path}/${name}${c.subresource === undefined ? '' : `/${c.subresource}`}`;
  const changed = await call('PUT', `${target}?dryRun=All`, mergePatch(created.body, c.change) as JsonObject);
  await call('DELETE', `${path}/${name}?gracePeriodSeconds=0&propagationPolicy=Background`);
  if (d.kind === 'Namespace') {
    const { body } = await call('GET', `${path}/${name}`);
    await call('PUT', `${path}/${name}/finalize`, { ...body, spec: { finalizers: [] } });
  }
  return outcome(c.name, changed);
}

await call('POST', '/api/v1/namespaces', { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'golden' } });
for (const [file, cases] of Object.entries(goldenCases)) {
  if (files.length > 0 && !files.includes(file)) continue;
  const recorded: Recorded[] = [];
  for (const c of cases) recorded.push(await record(c));
  writeFileSync(
    new URL(`../packages/api/src/golden/recorded/${file}.json`, import.meta.url),
    `${JSON.stringify(recorded, undefined, 1)}\n`,
  );
  console.log(`${file}: ${recorded.length} answers`);
}
agent.destroy();
