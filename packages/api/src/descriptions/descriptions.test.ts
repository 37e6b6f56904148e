import { describe, expect, it } from 'vitest';
import { builtinResources, builtinSchemas } from '../index.ts';
import { coreDescriptions } from './core.ts';
import { groupDescriptions } from './groups.ts';
import { describeApi } from './index.ts';
import { metaDescriptions } from './meta.ts';
import { podDescriptions } from './pods.ts';

const lines = [metaDescriptions, podDescriptions, coreDescriptions, groupDescriptions]
  .flatMap((text) => text.split('\n'))
  .filter((line) => line !== '');
const subjects = lines.map((line) => line.slice(0, line.indexOf(': ')));
const structs = new Map<string, Set<string>>();
for (const name of builtinSchemas.names()) {
  const struct = builtinSchemas.struct(name);
  if (struct === undefined) continue;
  const fields = structs.get(struct.goName) ?? new Set<string>();
  for (const f of struct.fields) fields.add(f.name);
  structs.set(struct.goName, fields);
}

describe('descriptions', () => {
  it('are about what there is, once', () => {
    const wrong = subjects.filter((subject) => {
      const [type = '', field] = subject.split('.');
      if (type === '') return ![...structs.values()].some((fields) => fields.has(field ?? ''));
      return field === undefined ? !structs.has(type) : !structs.get(type)?.has(field);
    });
    expect(wrong).toEqual([]);
    expect(subjects.filter((s, i) => subjects.indexOf(s) !== i)).toEqual([]);
  });

  it('there is one for every kind that is stored, and for each field of its specification', () => {
    const kinds = builtinResources.filter((d) => d.virtual !== true).map((d) => d.kind);
    expect(kinds.filter((kind) => describeApi(kind) === undefined)).toEqual([]);
    for (const type of ['ObjectMeta', 'PodSpec', 'Container', 'ServiceSpec', 'DeploymentSpec', 'JobSpec']) {
      const missing = [...(structs.get(type) ?? [])].filter((field) => describeApi(type, field) === undefined);
      expect([type, missing]).toEqual([type, []]);
    }
  });
});
