import { defineResource } from '../../define-resource.ts';
import type { ServiceAccount } from '../../generated/types/core-v1.ts';
import { type DeepReadonly, nameIsDNSSubdomain } from '@skiff/apimachinery';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

export const serviceAccount = defineResource<ServiceAccount>({
  group: '',
  version: 'v1',
  kind: 'ServiceAccount',
  plural: 'serviceaccounts',
  scope: 'Namespaced',
  shortNames: ['sa'],
  schemaName: 'io.k8s.api.core.v1.ServiceAccount',
  storageVersionHash: 'pbx9ZvyFpBE=',
  returnsDeletedObject: true,
  strategy: {
    validateName: nameIsDNSSubdomain,
    prepareForCreate: cleanSecretReferences,
    prepareForUpdate: cleanSecretReferences,
    warnings: serviceAccountWarnings,
  },
  table: defineTable([nameColumn, 'Age'], (o, nowMs) => [nameOf(o), age(o, nowMs)]),
  subresources: {
    token: { kind: 'TokenRequest', group: 'authentication.k8s.io', version: 'v1', verbs: ['create'] },
  },
});

/** Secrets are of the account's own namespace: only the name of a reference means anything. */
function cleanSecretReferences(draft: ServiceAccount): void {
  if (draft.secrets) draft.secrets = draft.secrets.map(({ name }) => (name === undefined ? {} : { name }));
}

const mountableSecrets = 'kubernetes.io/enforce-mountable-secrets';

function serviceAccountWarnings(account: DeepReadonly<ServiceAccount>, old?: DeepReadonly<ServiceAccount>): string[] {
  const has = (o: DeepReadonly<ServiceAccount> | undefined): boolean => o?.metadata?.annotations?.[mountableSecrets] !== undefined;
  return has(account) && !has(old)
    ? [`metadata.annotations[${mountableSecrets}]: deprecated in v1.32+; prefer separate namespaces to isolate access to mounted secrets`]
    : [];
}
