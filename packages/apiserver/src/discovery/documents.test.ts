import { existsSync, readFileSync } from 'node:fs';
import { builtinResources } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { apiGroupDiscoveryList, apiGroupList, apiResourceList, compareVersions, groupDefinitions } from './documents.ts';
import { digestOf, readRecord, refreshRecord } from './official-record.ts';

const oracle = new URL('../../../../../shared/oracle/discovery/', import.meta.url).pathname;
const present = existsSync(oracle);
if (!present) console.warn(`SKIPPED: no recorded discovery documents at ${oracle}`);
const read = (file: string): Record<string, unknown> => JSON.parse(readFileSync(`${oracle}${file}`, 'utf8')) as Record<string, unknown>;

const record = new URL('official-discovery.json', import.meta.url);

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

interface OfficialGroup {
  versions: { version: string }[];
}
const gaOnly = (list: readonly OfficialGroup[]): readonly OfficialGroup[] =>
  list.map((g) => ({ ...g, versions: g.versions.filter((v) => isGa(v.version)) })).filter((g) => g.versions.length > 0);

const groupVersions = groups.flatMap((g) => g.versions.map((v) => [g.group, v] as const));
const fileOf = (group: string, version: string): string => (group === '' ? `api__${version}.json` : `apis__${group}__${version}.json`);
const ourGroups = (apiGroupList(groups) as { groups: unknown[] }).groups;
const ourAggregated = (apiGroupDiscoveryList(groups, false) as { items: unknown }).items;

it('discovery has the digests of upstream’s', () => {
  const ours = Object.fromEntries(groupVersions.map(([group, v]) => [fileOf(group, v.version), digestOf(apiResourceList(group, v))]));
  expect({ ...ours, groups: digestOf(ourGroups), aggregated: digestOf(ourAggregated) }).toEqual(readRecord(record));
});

describe.skipIf(!present)('discovery equals upstream', () => {
  const officialGroups = present ? gaOnly((read('apis.json') as { groups: OfficialGroup[] }).groups) : [];
  const officialAggregated = present ? gaOnly((read('aggregated_v2.json') as { items: OfficialGroup[] }).items) : [];

  it('which is what the record is of', () => {
    const official = Object.fromEntries(
      groupVersions.map(([group, v]) => [fileOf(group, v.version), digestOf(read(fileOf(group, v.version)))]),
    );
    const all = { ...official, groups: digestOf(officialGroups), aggregated: digestOf(officialAggregated) };
    expect(refreshRecord(record, all)).toEqual(all);
  });

  it.each(groupVersions)('resources of %s', (group, v) => {
    const actual = apiResourceList(group, v) as { resources: { name: string }[] };
    const expected = read(fileOf(group, v.version)) as { resources: { name: string }[] };
    expect(actual.resources).toEqual(expected.resources);
    expect(actual).toEqual(expected);
  });

  it('group list', () => {
    expect(ourGroups).toEqual(officialGroups);
  });

  it('aggregated list', () => {
    expect(ourAggregated).toEqual(officialAggregated);
  });
});
