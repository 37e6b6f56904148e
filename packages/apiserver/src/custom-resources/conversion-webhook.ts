import { randomUUID } from 'node:crypto';
import {
  type ConversionWebhook,
  FieldErrors,
  formatGroupVersion,
  jsonEqual,
  type Json,
  type JsonObject,
  type ResourceDefinition,
  StatusError,
  validateAnnotations,
  validateLabels,
} from '@skiff/apimachinery';
import { type WebhookClient, WebhookError } from '../admission/webhook/client.ts';
import { targetOf } from '../admission/webhook/target.ts';
import type { ConvertObjects, ObjectAccess } from '../contract.ts';

const timeoutMs = 30_000;
const maxCalls = 100;

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);
const text = (value: unknown): string => (typeof value === 'string' ? value : '');
const quoted = (value: unknown): string => JSON.stringify(text(value));
const goKind = (apiVersion: string, kind: string): string => `${apiVersion.includes('/') ? apiVersion : `/${apiVersion}`}, Kind=${kind}`;

/** The ConversionReview of apiextensions.k8s.io in the first version that both sides know. */
function reviewOf(webhook: ConversionWebhook, apiVersion: string, objects: readonly JsonObject[]): { uid: string; review: JsonObject } {
  const version = webhook.reviewVersions.find((v) => v === 'v1' || v === 'v1beta1');
  if (version === undefined) throw new WebhookError('no supported conversion review versions');
  const uid = randomUUID();
  const request = { uid, desiredAPIVersion: apiVersion, objects: [...objects] };
  return { uid, review: { kind: 'ConversionReview', apiVersion: `apiextensions.k8s.io/${version}`, request } };
}

/** Throws WebhookError when the answer is none to this review, or tells of a failure. */
function readAnswer(answer: unknown, asked: { uid: string; review: JsonObject }): readonly unknown[] {
  const expected = text(asked.review['apiVersion']);
  if (!isObject(answer)) throw new WebhookError('the answer is no ConversionReview');
  const isV1 = expected.endsWith('/v1');
  if (isV1 && (answer['apiVersion'] !== expected || answer['kind'] !== 'ConversionReview')) {
    const got = goKind(text(answer['apiVersion']), text(answer['kind']));
    throw new WebhookError(`expected webhook response of ${goKind(expected, 'ConversionReview')}, got ${got}`);
  }
  const { response } = answer;
  if (!isObject(response)) throw new WebhookError('no response provided');
  if (isV1 && response['uid'] !== asked.uid)
    throw new WebhookError(`expected response.uid=${quoted(asked.uid)}, got ${quoted(response['uid'])}`);
  const result = isObject(response['result']) ? response['result'] : {};
  if (result['status'] !== 'Success')
    throw new WebhookError(text(result['message']) || `response.result.status was '${text(result['status'])}', not 'Success'`);
  const { convertedObjects } = response;
  return Array.isArray(convertedObjects) ? convertedObjects : [];
}

/** Labels or annotations that the webhook may have changed. Throws WebhookError. */
function changedStrings(field: 'labels' | 'annotations', before: unknown, after: JsonObject): JsonObject {
  for (const [key, value] of Object.entries(after))
    if (typeof value !== 'string') throw new WebhookError(`metadata.${field}[${key}] must be a string, but is none in converted object`);
  if (jsonEqual((before ?? null) as Json, after)) return after;
  const errors = new FieldErrors();
  const validate = field === 'labels' ? validateLabels : validateAnnotations;
  validate(after as Record<string, string>, field === 'labels' ? 'metadata.labels' : 'metadata.annotation', errors);
  if (errors.empty) return after;
  const all = errors.list.map((e) => `${e.field}: ${e.body}`);
  throw new WebhookError(all.length === 1 ? (all[0] ?? '') : `[${all.join(', ')}]`);
}

/** The converted object with the original's metadata: only labels and annotations are the webhook's to change. Throws WebhookError. */
function withMetadataOf(original: JsonObject, converted: JsonObject): JsonObject {
  const given = converted['metadata'];
  if (given === undefined) throw new WebhookError('missing metadata in converted object');
  if (!isObject(given)) throw new WebhookError('metadata of the converted object is no object');
  const metadata: JsonObject = structuredClone(isObject(original['metadata']) ? original['metadata'] : {});
  for (const field of ['labels', 'annotations'] as const) {
    const after = given[field];
    if (after === undefined || after === null) {
      delete metadata[field];
      continue;
    }
    if (!isObject(after)) throw new WebhookError(`metadata.${field} of the converted object is no object`);
    metadata[field] = changedStrings(field, metadata[field], after);
  }
  return { ...converted, metadata };
}

/** What must not differ besides the metadata. */
const identity = [
  ['name', 'name'],
  ['namespace', 'namespace'],
  ['UID', 'uid'],
] as const;

function checkObject(original: JsonObject, converted: JsonObject, apiVersion: string, about: string, index: number): JsonObject {
  const at = `${about} returned invalid object at index ${index}`;
  if (converted['apiVersion'] !== apiVersion)
    throw new WebhookError(`${at}: invalid groupVersion (expected ${apiVersion}, received ${text(converted['apiVersion'])})`);
  if (converted['kind'] !== original['kind'])
    throw new WebhookError(`${at}: invalid kind (expected ${text(original['kind'])}, received ${text(converted['kind'])})`);
  const [before, after] = [original['metadata'], converted['metadata']].map((m) => (isObject(m) ? m : {})) as [JsonObject, JsonObject];
  for (const [name, field] of identity) {
    if (text(before[field]) !== text(after[field]))
      throw new WebhookError(
        `${about} returned invalid object: must have the same ${name}: ${text(before[field])} != ${text(after[field])}`,
      );
  }
  try {
    return withMetadataOf(original, converted);
  } catch (error) {
    if (error instanceof WebhookError) throw new WebhookError(`${about} returned invalid metadata: ${error.message}`);
    throw error;
  }
}

/**
 * Calls the conversion webhooks of CustomResourceDefinitions (`spec.conversion`): one call for all objects that are given at once.
 * What goes wrong is an error without reason and with code 500, as upstream's.
 */
export function createConversionWebhooks(deps: { objects: () => ObjectAccess; client: () => WebhookClient }): ConvertObjects {
  const forever = new AbortController().signal;
  let calls = 0;
  return async (to: ResourceDefinition, objects: readonly JsonObject[]) => {
    const webhook = to.custom?.webhook;
    const apiVersion = formatGroupVersion(to.group, to.version);
    const missing = objects.filter((o) => o['apiVersion'] !== apiVersion);
    if (missing.length === 0) return objects;
    const about = `conversion webhook for ${goKind(text(missing[0]?.['apiVersion']), to.kind)}`;
    try {
      if (webhook === undefined) throw new WebhookError(`${about} failed: there is none`);
      if (calls >= maxCalls) throw new WebhookError(`${about} failed: ${maxCalls} calls are under way already`);
      let answer: readonly unknown[];
      calls++;
      try {
        const asked = reviewOf(webhook, apiVersion, missing);
        answer = readAnswer(
          await deps.client().post(targetOf(deps.objects(), webhook), asked.review, { timeoutMs, signal: forever }),
          asked,
        );
      } catch (error) {
        if (error instanceof WebhookError) throw new WebhookError(`${about} failed: ${error.message}`);
        throw error;
      } finally {
        calls--;
      }
      if (answer.length !== missing.length)
        throw new WebhookError(`${about} returned ${answer.length} objects, expected ${missing.length}`);
      let next = 0;
      return objects.map((original) => {
        if (original['apiVersion'] === apiVersion) return original;
        const index = next++;
        const converted = answer[index];
        if (!isObject(converted)) throw new WebhookError(`${about} returned invalid converted object at index ${index}: it is no object`);
        return checkObject(original, converted, apiVersion, about, index);
      });
    } catch (error) {
      if (error instanceof WebhookError) throw new StatusError('', error.message);
      throw error;
    }
  };
}
