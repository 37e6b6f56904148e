import {
  type DeepReadonly,
  type FieldErrors,
  isDNS1035Label,
  isDNS1123Subdomain,
  type KubeObject,
  nameIsDNSSubdomain,
  type ResourceStrategy,
  type StrategyContext,
  validateLabelSelector,
} from '@skiff/apimachinery';
import type {
  MutatingWebhook,
  MutatingWebhookConfiguration,
  ValidatingWebhook,
  ValidatingWebhookConfiguration,
  WebhookClientConfig,
} from '../../generated/types/admissionregistration-v1.ts';
import { deepEqual, semanticEqual } from '../../semantic-equality.ts';
import { bumpGeneration, setGeneration } from '../../spec-and-status.ts';
import { validateRule } from './match-rules.ts';
import { expressionChecks, validateMatchConditions } from './policy-spec.ts';

type Webhook = MutatingWebhook | ValidatingWebhook;
type Configuration = MutatingWebhookConfiguration | ValidatingWebhookConfiguration;

export function defaultWebhooks(configuration: Configuration, mutating: boolean): void {
  for (const hook of (configuration.webhooks ?? []) as MutatingWebhook[]) {
    hook.failurePolicy ??= 'Fail';
    hook.matchPolicy ??= 'Equivalent';
    hook.namespaceSelector ??= {};
    hook.objectSelector ??= {};
    hook.timeoutSeconds ??= 10;
    if (mutating) hook.reinvocationPolicy ??= 'Never';
    for (const rule of hook.rules ?? []) rule.scope ??= '*';
    if (hook.clientConfig.service !== undefined) hook.clientConfig.service.port ??= 443;
  }
}

/** An HTTPS URL without user, query and fragment. */
export function validateWebhookUrl(text: string, field: string, errors: FieldErrors): void {
  const form = 'url must have the form https://host/path';
  // What has no host is no URL to the parser here, or has one where there is none.
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(text)?.[1]?.toLowerCase() ?? '';
  if ((scheme === '' && !text.includes('%') && !text.includes(':')) || /^[a-z]+:\/\/(\/|$)/i.test(text)) {
    if (scheme !== 'https') errors.invalid(field, scheme, "'https' is the only allowed URL scheme; desired format: https://host[/path]");
    return errors.invalid(field, '', 'host must be specified; desired format: https://host[/path]');
  }
  let url: URL;
  try {
    url = new URL(text);
  } catch {
    return errors.required(field, `${form}; desired format: https://host[/path]`);
  }
  if (url.protocol !== 'https:')
    errors.invalid(field, url.protocol.slice(0, -1), "'https' is the only allowed URL scheme; desired format: https://host[/path]");
  if (url.host === '') errors.invalid(field, url.host, 'host must be specified; desired format: https://host[/path]');
  if (url.username !== '' || url.password !== '') errors.invalid(field, url.username, 'user information is not permitted in the URL');
  if (url.hash !== '') errors.invalid(field, url.hash.slice(1), 'fragments are not permitted in the URL');
  if (url.search !== '') errors.invalid(field, url.search.slice(1), 'query parameters are not permitted in the URL');
}

function validateClientConfig(config: DeepReadonly<WebhookClientConfig>, field: string, errors: FieldErrors): void {
  const { url, service } = config;
  if ((url === undefined) === (service === undefined)) errors.required(field, 'exactly one of url or service is required');
  else if (url !== undefined) validateWebhookUrl(url, `${field}.url`, errors);
  if (url !== undefined || service === undefined) return;
  const at = `${field}.service`;
  if (!service.name) errors.required(`${at}.name`);
  if (!service.namespace) errors.required(`${at}.namespace`);
  const { path, port = 443 } = service;
  if (port < 1 || port > 65535) errors.invalid(`${at}.port`, port, 'port is not valid: must be between 1 and 65535, inclusive');
  validateWebhookPath(path, `${at}.path`, errors);
}

/** The path of a webhook behind a Service. */
export function validateWebhookPath(path: string | undefined, field: string, errors: FieldErrors): void {
  if (!path || path === '/') return;
  if (path === '//') return errors.invalid(field, path, 'segment[0] may not be empty');
  if (!path.startsWith('/')) errors.invalid(field, path, "must start with a '/'");
  const segments = path.slice(1).replace(/\/$/, '').split('/');
  for (const [i, segment] of segments.entries()) {
    if (segment === '') {
      errors.invalid(field, path, `segment[${i}] may not be empty`);
      continue;
    }
    for (const bad of isDNS1123Subdomain(segment)) errors.invalid(field, path, `segment[${i}]: ${bad}`);
  }
}

function validateVersions(versions: readonly string[], field: string, errors: FieldErrors): void {
  if (versions.length === 0) return errors.required(field, 'must specify one of v1, v1beta1');
  for (const [i, version] of versions.entries()) {
    if (versions.indexOf(version) < i) errors.invalid(`${field}[${i}]`, version, 'duplicate version');
    for (const bad of isDNS1035Label(version)) errors.invalid(`${field}[${i}]`, version, bad);
  }
  if (!versions.some((v) => v === 'v1' || v === 'v1beta1')) errors.invalid(field, versions, 'must include at least one of v1, v1beta1');
}

function validateWebhook(hook: DeepReadonly<Webhook>, field: string, errors: FieldErrors): void {
  if (hook.name.split('.').length < 3) {
    if (hook.name === '') errors.required(`${field}.name`);
    else errors.invalid(`${field}.name`, hook.name, 'should be a domain with at least three segments separated by dots');
  } else for (const bad of isDNS1123Subdomain(hook.name)) errors.invalid(`${field}.name`, hook.name, bad);
  for (const [i, rule] of (hook.rules ?? []).entries()) validateRule(rule, `${field}.rules[${i}]`, errors);
  const oneOf = (name: 'failurePolicy' | 'matchPolicy' | 'sideEffects' | 'reinvocationPolicy', values: readonly string[]): void => {
    const value = (hook as DeepReadonly<MutatingWebhook>)[name];
    if (value !== undefined && !values.includes(value)) errors.notSupported(`${field}.${name}`, value, values);
  };
  oneOf('failurePolicy', ['Fail', 'Ignore']);
  oneOf('matchPolicy', ['Equivalent', 'Exact']);
  oneOf('reinvocationPolicy', ['IfNeeded', 'Never']);
  if (!hook.sideEffects) errors.required(`${field}.sideEffects`, 'must specify one of None, NoneOnDryRun');
  else oneOf('sideEffects', ['None', 'NoneOnDryRun']);
  const { timeoutSeconds } = hook;
  if (timeoutSeconds !== undefined && (timeoutSeconds > 30 || timeoutSeconds < 1)) {
    errors.invalid(`${field}.timeoutSeconds`, timeoutSeconds, 'the timeout value must be between 1 and 30 seconds');
  }
  for (const name of ['namespaceSelector', 'objectSelector'] as const) {
    const selector = hook[name];
    if (selector !== undefined) validateLabelSelector(selector, `${field}.${name}`, errors);
  }
  validateClientConfig(hook.clientConfig, `${field}.clientConfig`, errors);
  validateVersions(hook.admissionReviewVersions ?? [], `${field}.admissionReviewVersions`, errors);
}

/** Conditions that are as they were are not judged again. */
function validateConditions(hook: DeepReadonly<Webhook>, field: string, old: DeepReadonly<Configuration> | undefined, check: Check): void {
  const conditions = hook.matchConditions ?? [];
  if (conditions.length === 0) return;
  const before = old?.webhooks?.find((h) => h.name === hook.name)?.matchConditions;
  if (before !== undefined && deepEqual(before, conditions)) return;
  const checks = expressionChecks(check.context, { params: false, variables: false });
  validateMatchConditions(conditions, `${field}.matchConditions`, checks, check.errors);
}

interface Check {
  readonly errors: FieldErrors;
  readonly context: StrategyContext;
}

function validateConfiguration(
  configuration: DeepReadonly<Configuration>,
  old: DeepReadonly<Configuration> | undefined,
  check: Check,
): void {
  const { errors } = check;
  const names = new Set<string>();
  for (const [i, hook] of (configuration.webhooks ?? []).entries()) {
    validateWebhook(hook, `webhooks[${i}]`, errors);
    validateConditions(hook, `webhooks[${i}]`, old, check);
    if (names.has(hook.name)) errors.duplicate(`webhooks[${i}].name`, hook.name);
    names.add(hook.name);
  }
}

/** Strategy of both kinds of webhook configurations: a generation that counts changes of the webhooks. */
export const webhookStrategy = <T extends KubeObject & { webhooks?: unknown }>(schemaName: string): ResourceStrategy<T> => ({
  validateName: nameIsDNSSubdomain,
  prepareForCreate: (draft) => setGeneration(draft, 1),
  prepareForUpdate(draft, old) {
    const [now, before] = [{ webhooks: draft.webhooks ?? [] }, { webhooks: old.webhooks ?? [] }];
    if (!semanticEqual(schemaName, now, before)) bumpGeneration(draft, old);
  },
  validate: (configuration, errors, context) =>
    validateConfiguration(configuration as DeepReadonly<Configuration>, undefined, { errors, context }),
  validateUpdate: (configuration, old, errors, context) =>
    validateConfiguration(configuration as DeepReadonly<Configuration>, old as DeepReadonly<Configuration>, { errors, context }),
});
