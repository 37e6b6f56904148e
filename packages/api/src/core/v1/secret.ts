import { type DeepReadonly, nameIsDNSSubdomain } from '@skiff/apimachinery';
import { defineResource } from '../../define-resource.ts';
import type { Secret } from '../../generated/types/core-v1.ts';
import { defaultSecret } from './secret-defaults.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';
import { keyPairComplaint } from './tls-key-pair.ts';
import { validateSecret, validateSecretUpdate } from './validate-data.ts';

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
    validateName: nameIsDNSSubdomain,
    prepareForUpdate(draft, old) {
      if (!draft.type && old.type) draft.type = old.type;
    },
    validate: (secret, errors) => validateSecret(secret, errors),
    validateUpdate: validateSecretUpdate,
    warnings: secretWarnings,
  },
  selectableFields: { type: (s) => s.type ?? '' },
  table: defineTable([nameColumn, 'Type', 'Data', 'Age'], (s, nowMs) => [
    nameOf(s),
    s.type ?? '',
    Object.keys(s.data ?? {}).length,
    age(s, nowMs),
  ]),
});

/** Certificate and key of a TLS Secret should be a pair. */
function secretWarnings(secret: DeepReadonly<Secret>): string[] {
  if (secret.type !== 'kubernetes.io/tls') return [];
  const text = (key: string): string => Buffer.from(secret.data?.[key] ?? '', 'base64').toString();
  const complaint = keyPairComplaint(text('tls.crt'), text('tls.key'));
  return complaint === undefined ? [] : [complaint];
}
