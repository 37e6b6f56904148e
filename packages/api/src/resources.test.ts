import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { formatGroupVersion } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import { builtinResources } from './resources.ts';

interface DiscoveryResource {
  name: string;
  singularName: string;
  namespaced: boolean;
  kind: string;
  group?: string;
  version?: string;
  verbs: string[];
  shortNames?: string[];
  categories?: string[];
  storageVersionHash?: string;
}

/** The official discovery documents, next to the checkout; not part of the project. */
const oracle = fileURLToPath(new URL('../../../../shared/oracle/discovery/', import.meta.url));

const fileOf = (group: string, version: string): string => `${oracle}${group === '' ? 'api__v1' : `apis__${group}__${version}`}.json`;

const officialList = (group: string, version: string): DiscoveryResource[] =>
  (JSON.parse(readFileSync(fileOf(group, version), 'utf8')) as { resources: DiscoveryResource[] }).resources;

function ours(group: string, version: string): DiscoveryResource[] {
  return builtinResources
    .filter((r) => r.group === group && r.version === version)
    .flatMap((r) => {
      const namespaced = r.scope === 'Namespaced';
      const main: DiscoveryResource = { name: r.plural, singularName: r.singular, namespaced, kind: r.kind, verbs: [...r.verbs] };
      if (r.shortNames) main.shortNames = [...r.shortNames];
      if (r.categories) main.categories = [...r.categories];
      if (r.storageVersionHash) main.storageVersionHash = r.storageVersionHash;
      const subresources = Object.entries(r.subresources ?? {}).map(([name, s]) => ({
        name: `${r.plural}/${name}`,
        singularName: '',
        namespaced,
        kind: s.kind,
        ...(s.group === undefined ? {} : { group: s.group }),
        ...(s.version === undefined ? {} : { version: s.version }),
        verbs: [...s.verbs],
      }));
      return [main, ...subresources];
    });
}

const withTable = builtinResources.filter((r) => r.table !== undefined);

const byName = (list: DiscoveryResource[]): DiscoveryResource[] => list.toSorted((a, b) => (a.name < b.name ? -1 : 1));
const groupVersions = [...new Set(builtinResources.map((r) => `${r.group}|${r.version}`))].map((s) => s.split('|') as [string, string]);

describe('builtinResources', () => {
  it('names each resource once', () => {
    const names = builtinResources.map((r) => `${formatGroupVersion(r.group, r.version)}/${r.plural}`);
    expect(new Set(names).size).toBe(names.length);
  });

  it('has the hash of the version that is stored', () => {
    // Upstream keeps these in v1beta1, and shows that; here they are stored in v1 or not at all.
    const older = new Set(['CustomResourceDefinition', 'MutatingAdmissionPolicy', 'MutatingAdmissionPolicyBinding']);
    const hashed = builtinResources.filter((r) => r.storageVersionHash !== undefined && !older.has(r.kind));
    for (const r of hashed) {
      const stored = r.storageVersion ?? r;
      const hash = createHash('sha256').update(`${stored.group}/${stored.version}/${r.kind}`).digest().subarray(0, 8).toString('base64');
      expect(`${r.plural}.${r.group} ${r.storageVersionHash}`).toBe(`${r.plural}.${r.group} ${hash}`);
    }
  });

  it.skipIf(!existsSync(oracle)).each(groupVersions)('is what the official discovery shows for %s/%s', (group, version) => {
    expect(byName(ours(group, version))).toEqual(byName(officialList(group, version)));
  });
  if (!existsSync(oracle)) console.warn(`SKIPPED: no official discovery documents in ${oracle}`);

  it.each(withTable.map((r) => [`${r.group}/${r.version} ${r.kind}`, r] as const))('has a cell for each column of %s', (_name, r) => {
    // Bookmarks of Table watches are rows of empty objects.
    const cells = r.table?.row({}, 0) ?? [];
    expect(cells).toHaveLength(r.table?.columns.length ?? 0);
    expect(cells.every((c) => c !== undefined)).toBe(true);
  });

  it.each(builtinResources.map((r) => [`${r.group}/${r.version} ${r.kind}`, r] as const))('selects fields of an empty %s', (_name, r) => {
    for (const value of Object.values(r.selectableFields ?? {})) expect(typeof value({})).toBe('string');
  });
});
