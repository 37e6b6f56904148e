import {
  mutatingWebhookConfiguration,
  type MutatingWebhook,
  type MutatingWebhookConfiguration,
  validatingWebhookConfiguration,
  type ValidatingWebhookConfiguration,
} from '@skiff/api';
import { applyPatch, type DeepReadonly, internalError, type JsonObject, preparePatch, type ResourceDefinition } from '@skiff/apimachinery';
import type { AdmissionRequest, ConvertObjects, Lifetime, ObjectAccess } from '../../contract.ts';
import type { Authorizer } from '../../authz/authorizer.ts';
import { convertObject, formOf } from '../object-form.ts';
import type { AdmissionPlugin } from '../plugin.ts';
import { namespaceOfRequest } from '../request-namespace.ts';
import { conditionsOf } from './conditions.ts';
import { type WebhookClient, WebhookError } from './client.ts';
import { matchedDefinition, selectorsMatch, selectsNamespaces, type Webhook } from './match.ts';
import { targetOf } from './target.ts';
import { admissionReview, denial, readAnswer, type ReviewAnswer, reviewVersion } from './review.ts';

export interface WebhookDeps {
  readonly objects: ObjectAccess;
  readonly client: () => WebhookClient;
  /** All that is served: other versions of a kind are found here. */
  readonly definitions: () => readonly ResourceDefinition[];
  /** For custom kinds that a webhook converts. */
  readonly convert: ConvertObjects;
  /** For conditions that ask who may do what. */
  readonly authorizer: () => Authorizer;
}

/** Webhooks have no say about what configures admission: nobody could mend a broken one. */
const isExempt = (r: AdmissionRequest): boolean => r.definition.group === 'admissionregistration.k8s.io';

/** The object as a webhook hears of it. */
const shownAs = async (
  r: AdmissionRequest,
  object: DeepReadonly<JsonObject> | null,
  to: ResourceDefinition,
  convert: ConvertObjects,
): Promise<JsonObject | null> => (object === null ? null : convertObject(r, object as JsonObject, { from: r.definition, to, convert }));

/** Sends one request to one webhook. Undefined: it failed and may be passed over. Throws StatusError when it says no, or may not fail. */
async function callWebhook(
  hook: Webhook,
  r: AdmissionRequest,
  as: ResourceDefinition,
  deps: WebhookDeps,
  lifetime: Lifetime,
): Promise<ReviewAnswer | undefined> {
  let answer: ReviewAnswer;
  try {
    if (r.dryRun && hook.sideEffects !== 'None' && hook.sideEffects !== 'NoneOnDryRun')
      throw new WebhookError('webhook does not support dry run');
    const objects = {
      object: await shownAs(r, r.object, as, deps.convert),
      oldObject: await shownAs(r, r.oldObject, as, deps.convert),
    };
    const version = reviewVersion(hook.admissionReviewVersions);
    const { uid, review } = admissionReview(r, as, objects, version);
    const timeoutMs = (hook.timeoutSeconds ?? 10) * 1000;
    answer = readAnswer(
      await deps.client().post(targetOf(deps.objects, hook.clientConfig), review, { timeoutMs, signal: lifetime.signal }),
      uid,
      version,
    );
  } catch (error) {
    if (!(error instanceof WebhookError)) throw error;
    if (hook.failurePolicy === 'Ignore' && !lifetime.signal.aborted) return undefined;
    throw internalError(new Error(`failed calling webhook ${JSON.stringify(hook.name)}: failed to call webhook: ${error.message}`));
  }
  for (const warning of answer.warnings) if (!r.warnings.includes(warning)) r.warnings.push(warning);
  if (!answer.allowed) throw denial(hook.name, answer.status);
  return answer;
}

interface Matched {
  readonly hook: Webhook;
  readonly as: ResourceDefinition;
}

/** Says, hook by hook, whether it hears of the request as it is at that moment. Throws NotFound of a namespace, Forbidden (see conditionsOf). */
function matcher(r: AdmissionRequest, deps: WebhookDeps): (hook: Webhook) => Promise<Matched | undefined> {
  let equivalents: readonly ResourceDefinition[] | undefined;
  const conditions = conditionsOf(r, deps.authorizer, (object, as) => shownAs(r, object, as, deps.convert));
  return async (hook) => {
    if (isExempt(r)) return undefined;
    equivalents ??= deps.definitions().filter((d) => d.storagePrefix === r.definition.storagePrefix && d.kind === r.definition.kind);
    const as = matchedDefinition(hook, r, equivalents);
    if (as === undefined) return undefined;
    const labels = selectsNamespaces(hook, r) ? (await namespaceOfRequest(r, deps.objects))?.metadata?.labels : undefined;
    if (!selectorsMatch(hook, r, labels)) return undefined;
    return (await conditions(hook, as)) ? { hook, as } : undefined;
  };
}

type Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;
interface Configured {
  readonly hook: Webhook;
  /** Configuration and name: tells webhooks apart. */
  readonly key: string;
}
/** In the order of their configurations' names. */
const inOrder = (configurations: readonly DeepReadonly<Configuration>[]): readonly Configured[] =>
  configurations.length === 0
    ? []
    : [...configurations]
        .sort((a, b) => ((a.metadata?.name ?? '') < (b.metadata?.name ?? '') ? -1 : 1))
        .flatMap((c): readonly Configured[] => (c.webhooks ?? []).map((hook) => ({ hook, key: `${c.metadata?.name ?? ''}/${hook.name}` })));

/** Applies a webhook's patch, which is in the version that the webhook saw. */
async function patchObject(r: AdmissionRequest, { hook, as }: Matched, patch: Buffer, convert: ConvertObjects): Promise<boolean> {
  const before = JSON.stringify(r.object);
  try {
    const form = formOf(r, as);
    if (form === undefined) throw new Error(`what ${r.definition.plural}/${r.subresource} carries can't be patched`);
    const shown = await shownAs(r, r.object, as, convert);
    const { object } = applyPatch(preparePatch('json', patch, form.codec), () => structuredClone(shown) as JsonObject, form.codec);
    object.kind = form.kind;
    object.apiVersion = form.apiVersion;
    r.object = await convertObject(r, object as unknown as JsonObject, { from: as, to: r.definition, convert });
  } catch (error) {
    throw internalError(
      new Error(`failed calling webhook ${JSON.stringify(hook.name)}: ${error instanceof Error ? error.message : String(error)}`),
    );
  }
  return JSON.stringify(r.object) !== before;
}

/**
 * Mutating webhooks, one after the other; those that ask for it (reinvocationPolicy IfNeeded) are called a second time when someone
 * changed the object after them. A webhook that the first round passed over is not called in the second.
 */
export const mutatingWebhooks = (deps: WebhookDeps): AdmissionPlugin => ({
  name: 'MutatingAdmissionWebhook',
  handles: () => true,
  mutate: async (r, lifetime, rounds) => {
    const hooks = inOrder(deps.objects.list<MutatingWebhookConfiguration>(mutatingWebhookConfiguration));
    if (hooks.length === 0) return;
    const memory = rounds.memoryOf('MutatingAdmissionWebhook');
    if (rounds.again) memory.compare(r.object);
    const match = matcher(r, deps);
    for (const { hook, key } of hooks) {
      const m = await match(hook);
      if (m === undefined || (rounds.again && !memory.isDue(key))) continue;
      const answer = await callWebhook(hook, r, m.as, deps, lifetime);
      if (answer?.patch !== undefined && r.object !== null && (await patchObject(r, m, answer.patch, deps.convert))) {
        memory.makeDue();
        rounds.wantAnother();
      }
      if ((hook as DeepReadonly<MutatingWebhook>).reinvocationPolicy === 'IfNeeded') memory.add(key);
    }
    memory.remember(r.object);
  },
});

/** Validating webhooks, all at once; the first in order that refuses is the one that is told of. */
export const validatingWebhooks = (deps: WebhookDeps): AdmissionPlugin => ({
  name: 'ValidatingAdmissionWebhook',
  handles: () => true,
  validate: async (r, lifetime) => {
    const hooks = inOrder(deps.objects.list<ValidatingWebhookConfiguration>(validatingWebhookConfiguration));
    if (hooks.length === 0) return;
    const match = matcher(r, deps);
    const matched: Matched[] = [];
    for (const { hook } of hooks) {
      const m = await match(hook);
      if (m !== undefined) matched.push(m);
    }
    const outcomes = await Promise.allSettled(matched.map((m) => callWebhook(m.hook, r, m.as, deps, lifetime)));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  },
});
