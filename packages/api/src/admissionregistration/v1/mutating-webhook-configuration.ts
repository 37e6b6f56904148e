import { defineResource } from '../../define-resource.ts';
import type { MutatingWebhookConfiguration } from '../../generated/types/admissionregistration-v1.ts';
import { defaultWebhooks, webhookStrategy } from './webhooks.ts';
import { age, defineTable, integer, nameColumn, nameOf } from '../../table.ts';

export const mutatingWebhookConfiguration = defineResource<MutatingWebhookConfiguration>({
  group: 'admissionregistration.k8s.io',
  version: 'v1',
  kind: 'MutatingWebhookConfiguration',
  plural: 'mutatingwebhookconfigurations',
  scope: 'Cluster',
  categories: ['api-extensions'],
  schemaName: 'io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration',
  storageVersionHash: 'Sqi0GUgDaX0=',
  defaults: (configuration) => defaultWebhooks(configuration, true),
  strategy: webhookStrategy<MutatingWebhookConfiguration>('io.k8s.api.admissionregistration.v1.MutatingWebhookConfiguration'),
  table: defineTable([nameColumn, integer('Webhooks'), 'Age'], (c, nowMs) => [nameOf(c), (c.webhooks ?? []).length, age(c, nowMs)]),
});
