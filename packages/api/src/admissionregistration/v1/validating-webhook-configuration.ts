import { defineResource } from '../../define-resource.ts';
import type { ValidatingWebhookConfiguration } from '../../generated/types/admissionregistration-v1.ts';
import { defaultWebhooks, webhookStrategy } from './webhooks.ts';
import { age, defineTable, integer, nameColumn, nameOf } from '../../table.ts';

export const validatingWebhookConfiguration = defineResource<ValidatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'ValidatingWebhookConfiguration',
  plural: 'validatingwebhookconfigurations',
  scope: 'Cluster',
  categories: ['api-extensions'],
  schemaName: 'io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration',
  storageVersionHash: 'B0wHjQmsGNk=',
  defaults: (configuration) => defaultWebhooks(configuration, false),
  strategy: webhookStrategy<ValidatingWebhookConfiguration>('io.k8s.api.admissionregistration.v1.ValidatingWebhookConfiguration'),
  table: defineTable([nameColumn, integer('Webhooks'), 'Age'], (c, nowMs) => [nameOf(c), (c.webhooks ?? []).length, age(c, nowMs)]),
});
