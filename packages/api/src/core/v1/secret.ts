import { defineResource } from '../../define-resource.ts';
import type { Secret } from '../../generated/types/core-v1.ts';
import { defaultSecret } from './secret-defaults.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

export const secret = defineResource<Secret>({
  group: '',
  version: 'v1',
  kind: 'Secret',
  plural: 'secrets',
  scope: 'Namespaced',
  schemaName: 'io.k8s.api.core.v1.Secret',
  storageVersionHash: 'S6u1pOWzb84=',
  defaults: defaultSecret,
  strategy: {
    prepareForUpdate(draft, old) {
      if (!draft.type && old.type) draft.type = old.type;
    },
  },
  selectableFields: { type: (s) => s.type ?? '' },
  table: defineTable([nameColumn, 'Type', 'Data', 'Age'], (s, nowMs) => [
    nameOf(s),
    s.type ?? '',
    Object.keys(s.data ?? {}).length,
    age(s, nowMs),
  ]),
});
