import type { JsonObject, ResourceDefinition, Status } from '@skiff/apimachinery';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import * as api from '../index.ts';
import { type GoldenCase, type Recorded, stable, withoutAllocations } from './case.ts';
import { goldenCases } from './cases.ts';
import { create, mergePatch, type Outcome, update } from './pipeline.ts';

const definition = (name: string): ResourceDefinition => (api as unknown as Record<string, ResourceDefinition>)[name] as ResourceDefinition;

function run(c: GoldenCase): Outcome {
  const d = definition(c.resource);
  const object = { apiVersion: d.group === '' ? d.version : `${d.group}/${d.version}`, kind: d.kind, ...c.object };
  const created = create(d, object);
  if (c.change === undefined) return created;
  if (created.object === undefined) return created;
  const stored = mergePatch(created.object, { metadata: { resourceVersion: '1' } }) as JsonObject;
  return update(d, stored, mergePatch(stored, c.change) as JsonObject, c.subresource);
}

const uniqueCauses = (status: Partial<Status>): unknown => [
  ...new Map((status.details?.causes ?? []).map((cause) => [JSON.stringify(cause), cause])).values(),
];

function comparable(outcome: Outcome): Omit<Recorded, 'name'> {
  const { warnings } = outcome;
  if (outcome.object) return { object: withoutAllocations(stable(outcome.object)), warnings };
  const { code = 0, reason = '', message = '' } = outcome.status ?? {};
  return { status: { code, reason, message, causes: uniqueCauses(outcome.status ?? {}) as never }, warnings };
}

describe.each(Object.keys(goldenCases))('%s, as upstream answers', (file) => {
  const recorded = JSON.parse(readFileSync(new URL(`./recorded/${file}.json`, import.meta.url), 'utf8')) as Recorded[];
  const cases = goldenCases[file] ?? [];

  it('has an answer to each case', () => {
    expect(recorded.map((r) => r.name)).toEqual(cases.map((c) => c.name));
  });

  it.each(cases.map((c) => [c.name, c] as const))('%s', (name, c) => {
    const { name: _name, ...expected } = recorded.find((r) => r.name === name) ?? { name, warnings: [] };
    expect(comparable(run(c))).toEqual(expected);
  });
});
