import {
  builtinSchemas,
  endpointSlice,
  type EndpointSlice,
  mutatingWebhookConfiguration,
  type MutatingWebhook,
  type MutatingWebhookConfiguration,
  namespace,
  type Namespace,
  pod,
  type Pod,
  service,
  type Service,
  validatingWebhookConfiguration,
  type ValidatingWebhookConfiguration,
} from '@skiff/api';
import {
  applyPatch,
  createTypedCodec,
  type DeepReadonly,
  formatGroupVersion,
  internalError,
  type JsonObject,
  type KubeObject,
  type ObjectCodec,
  preparePatch,
  type ResourceDefinition,
} from '@skiff/apimachinery';
import type { AdmissionRequest, Lifetime, ObjectAccess } from '../../contract.ts';
import type { Route } from '../../tunnel/dialer.ts';
import type { AdmissionPlugin } from '../plugin.ts';
import { type WebhookClient, WebhookError, type WebhookTarget } from './client.ts';
import { matchedDefinition, selectorsMatch, type Webhook } from './match.ts';
import { admissionReview, denial, readAnswer, type ReviewAnswer } from './review.ts';

export interface WebhookDeps {
  readonly objects: ObjectAccess;
  readonly client: () => WebhookClient;
  /** All that is served: other versions of a kind are found here. */
  readonly definitions: () => readonly ResourceDefinition[];
}

/** Webhooks have no say about what configures admission: nobody could mend a broken one. */
const isExempt = (r: AdmissionRequest): boolean => r.definition.group === 'admissionregistration.k8s.io';

const codecOf = (d: ResourceDefinition): ObjectCodec<KubeObject> =>
  d.custom?.codec ?? createTypedCodec<KubeObject>(builtinSchemas, d.schemaName);

/** The object as another version of the same kind shows it. */
function convert(object: DeepReadonly<JsonObject> | null, from: ResourceDefinition, to: ResourceDefinition): JsonObject | null {
  if (object === null || from === to) return object as JsonObject | null;
  const stored =
    from.conversion === undefined
      ? structuredClone(object as JsonObject)
      : from.conversion.toStorage(structuredClone(object as JsonObject));
  const converted = to.conversion === undefined ? stored : to.conversion.fromStorage(stored);
  return { ...converted, kind: to.kind, apiVersion: formatGroupVersion(to.group, to.version) };
}

/** One of the ready pods behind a webhook's Service. Throws WebhookError. */
function serviceRoute(objects: ObjectAccess, namespaceName: string, name: string, port: number): Route {
  const found = objects.get<Service>(service, namespaceName, name);
  if (found === undefined) throw new WebhookError(`service ${JSON.stringify(name)} not found`);
  const declared = (found.spec?.ports ?? []).find((p) => p.port === port);
  if (declared === undefined) throw new WebhookError(`no service port ${port} found for service ${JSON.stringify(name)}`);
  if (found.spec?.type === 'ExternalName') return { host: found.spec.externalName ?? '', port };
  const routes: Route[] = [];
  for (const slice of objects.list<EndpointSlice>(endpointSlice, namespaceName)) {
    if (slice.metadata?.namespace !== namespaceName || slice.metadata.labels?.['kubernetes.io/service-name'] !== name) continue;
    const target = (slice.ports ?? []).find((p) => (p.name ?? '') === (declared.name ?? ''))?.port;
    if (target === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const host = endpoint.addresses[0];
      if (endpoint.conditions?.ready === false || host === undefined) continue;
      const behind = endpoint.targetRef?.kind === 'Pod' ? objects.get<Pod>(pod, namespaceName, endpoint.targetRef.name ?? '') : undefined;
      const node = behind?.spec?.nodeName ?? '';
      const own = behind?.status?.podIPs?.some((p) => p.ip === host) ?? false;
      routes.push({
        host,
        port: target,
        ...(node !== '' && own && behind?.spec?.hostNetwork !== true ? { node, target: { pod: { host, port: target } } } : {}),
      });
    }
  }
  const chosen = routes[Math.floor(Math.random() * routes.length)];
  if (chosen === undefined) throw new WebhookError(`no endpoints available for service ${JSON.stringify(name)}`);
  return chosen;
}

function targetOf(objects: ObjectAccess, hook: Webhook): WebhookTarget {
  const { url, service: behind, caBundle } = hook.clientConfig;
  const ca = caBundle === undefined || caBundle === '' ? undefined : Buffer.from(caBundle, 'base64').toString('utf8');
  if (url !== undefined) {
    const parsed = new URL(url);
    const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
    return { url: parsed, route: { host, port: Number(parsed.port || 443) }, serverName: host, ca };
  }
  if (behind === undefined) throw new WebhookError('neither url nor service is set');
  const port = behind.port ?? 443;
  const serverName = `${behind.name}.${behind.namespace}.svc`;
  const path = behind.path ?? '/';
  return {
    url: new URL(`https://${serverName}:${port}${path.startsWith('/') ? path : `/${path}`}`),
    route: serviceRoute(objects, behind.namespace, behind.name, port),
    serverName,
    ca,
  };
}

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
    const objects = { object: convert(r.object, r.definition, as), oldObject: convert(r.oldObject, r.definition, as) };
    const { uid, review } = admissionReview(r, as, objects);
    const timeoutMs = (hook.timeoutSeconds ?? 10) * 1000;
    answer = readAnswer(await deps.client().post(targetOf(deps.objects, hook), review, { timeoutMs, signal: lifetime.signal }), uid);
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

/** Says, hook by hook, whether it hears of the request as it is at that moment. */
function matcher(r: AdmissionRequest, deps: WebhookDeps): (hook: Webhook) => Matched | undefined {
  let equivalents: readonly ResourceDefinition[] | undefined;
  const labels = (name: string): Readonly<Record<string, string>> | undefined =>
    deps.objects.get<Namespace>(namespace, '', name)?.metadata?.labels;
  return (hook) => {
    if (isExempt(r)) return undefined;
    equivalents ??= deps.definitions().filter((d) => d.storagePrefix === r.definition.storagePrefix && d.kind === r.definition.kind);
    const as = matchedDefinition(hook, r, equivalents);
    return as !== undefined && selectorsMatch(hook, r, labels) ? { hook, as } : undefined;
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
function patchObject(r: AdmissionRequest, { hook, as }: Matched, patch: Buffer): boolean {
  const codec = codecOf(r.definition);
  const before = JSON.stringify(r.object);
  try {
    const prepared = preparePatch('json', patch, codec);
    const seen = (): JsonObject => structuredClone(convert(r.object, r.definition, as)) as JsonObject;
    const patched = as === r.definition ? applyPatch(prepared, seen, codec).object : applyPatch(prepared, seen, codecOf(as)).object;
    const object = convert(patched as unknown as JsonObject, as, r.definition) as JsonObject;
    r.object = { ...object, kind: r.definition.kind, apiVersion: formatGroupVersion(r.definition.group, r.definition.version) };
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
      const m = match(hook);
      if (m === undefined || (rounds.again && !memory.isDue(key))) continue;
      const answer = await callWebhook(hook, r, m.as, deps, lifetime);
      if (answer?.patch !== undefined && r.object !== null && patchObject(r, m, answer.patch)) {
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
    const matched = hooks.map(({ hook }) => match(hook)).filter((m) => m !== undefined);
    const outcomes = await Promise.allSettled(matched.map((m) => callWebhook(m.hook, r, m.as, deps, lifetime)));
    for (const outcome of outcomes) if (outcome.status === 'rejected') throw outcome.reason;
  },
});
