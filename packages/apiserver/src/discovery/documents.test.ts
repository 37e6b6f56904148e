import { existsSync, readFileSync } from 'node:fs';
import { builtinResources } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { apiGroupDiscoveryList, apiGroupList, apiResourceList, compareVersions, groupDefinitions } from './documents.ts';

const oracle = new URL('../../../../../shared/oracle/discovery/', import.meta.url).pathname;
const present = existsSync(oracle);
if (!present) console.warn(`SKIPPED: no recorded discovery documents at ${oracle}`);
const read = (file: string): Record<string, unknown> => JSON.parse(readFileSync(`${oracle}${file}`, 'utf8')) as Record<string, unknown>;

const isGa = (version: string): boolean => /^v\d+$/.test(version);
const groups = groupDefinitions(builtinResources);

describe('compareVersions', () => {
  it('puts GA before beta before alpha', () => {
    expect(['v1alpha1', 'v1', 'v2beta1', 'v2', 'foo', 'v1beta2', 'v1beta10'].sort(compareVersions)).toEqual([
      'v2',
      'v1',
      'v2beta1',
      'v1beta10',
      'v1beta2',
      'v1alpha1',
      'foo',
    ]);
  });
});

describe.skipIf(!present)('discovery equals upstream', () => {
  it.each(groups.flatMap((g) => g.versions.map((v) => [g.group, v] as const)))('resources of %s', (group, v) => {
    const file = group === '' ? 'api__v1.json' : `apis__${group}__${v.version}.json`;
    const actual = apiResourceList(group, v) as { resources: { name: string }[] };
    const expected = read(file) as { resources: { name: string }[] };
    expect(actual.resources).toEqual(expected.resources);
    expect(actual).toEqual(expected);
  });

  it('group list', () => {
    const expected = read('apis.json') as { groups: { name: string; versions: { version: string }[] }[] };
    const ga = expected.groups
      .map((g) => ({ ...g, versions: g.versions.filter((v) => isGa(v.version)) }))
      .filter((g) => g.versions.length > 0);
    expect((apiGroupList(groups) as { groups: unknown[] }).groups).toEqual(ga);
  });

  it('aggregated list', () => {
    interface Item {
      versions: { version: string }[];
    }
    const ga = (read('aggregated_v2.json') as { items: Item[] }).items
      .map((i) => ({ ...i, versions: i.versions.filter((v) => isGa(v.version)) }))
      .filter((i) => i.versions.length > 0);
    expect((apiGroupDiscoveryList(groups, false) as { items: unknown }).items).toEqual(ga);
  });
});
