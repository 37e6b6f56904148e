import type { MutatingWebhook, RuleWithOperations, ValidatingWebhook } from '@skiff/api';
import { type DeepReadonly, labelSelectorMatcher } from '@skiff/apimachinery';
import type { JsonObject, KubeObject, ResourceDefinition } from '@skiff/apimachinery';
import type { AdmissionRequest } from '../../contract.ts';

export type Webhook = DeepReadonly<MutatingWebhook | ValidatingWebhook>;
type Rule = DeepReadonly<RuleWithOperations>;

const has = (list: readonly string[] | undefined, value: string): boolean => list?.some((v) => v === '*' || v === value) ?? false;

function matchesResource(rule: Rule, resource: string, subresource: string): boolean {
  return (rule.resources ?? []).some((text) => {
    const [r = '', sub = ''] = text.split(/\/(.*)/s);
    return (r === '*' || r === resource) && (sub === '*' ? text.includes('/') : sub === subresource);
  });
}

/** Does a rule cover a request that comes as `d`? */
export function ruleMatches(
  rule: Rule,
  d: ResourceDefinition,
  r: Pick<AdmissionRequest, 'operation' | 'subresource' | 'namespace'>,
): boolean {
  const scope = rule.scope ?? '*';
  // A Namespace is a cluster-wide object, whatever its requests' namespace.
  const namespaced = d.scope === 'Namespaced';
  return (
    (scope === '*' || (scope === 'Namespaced') === namespaced) &&
    has(rule.operations, r.operation) &&
    has(rule.apiGroups, d.group) &&
    has(rule.apiVersions, d.version) &&
    matchesResource(rule, d.plural, r.subresource)
  );
}

/**
 * The definition under which a webhook hears of a request: the request's own where a rule covers it, else (matchPolicy Equivalent)
 * another version of the same objects that a rule covers.
 */
export function matchedDefinition(
  hook: Webhook,
  r: AdmissionRequest,
  equivalents: readonly ResourceDefinition[],
): ResourceDefinition | undefined {
  const rules = hook.rules ?? [];
  if (rules.some((rule) => ruleMatches(rule, r.definition, r))) return r.definition;
  if (hook.matchPolicy === 'Exact') return undefined;
  return equivalents.find((d) => d !== r.definition && rules.some((rule) => ruleMatches(rule, d, r)));
}

type Labels = Readonly<Record<string, string>> | undefined;
const isOpen = (selector: Webhook['objectSelector']): boolean =>
  selector === undefined || ((selector.matchExpressions ?? []).length === 0 && Object.keys(selector.matchLabels ?? {}).length === 0);
const selects = (selector: Webhook['objectSelector'], labels: Labels): boolean =>
  isOpen(selector) || labelSelectorMatcher(selector as Parameters<typeof labelSelectorMatcher>[0]).matches(labels ?? {});

const labelsOf = (object: unknown): Labels => (object as DeepReadonly<KubeObject> | null)?.metadata?.labels;

/** Does it take the labels of the request's namespace to tell? A Namespace brings its own. */
export const selectsNamespaces = (hook: Pick<Webhook, 'namespaceSelector'>, r: AdmissionRequest): boolean =>
  r.definition.scope === 'Namespaced' && !isOpen(hook.namespaceSelector);

/** Are the request's namespace and object among those that are selected? Cluster-wide objects are in no namespace: they are. */
export function selectorsMatch(
  hook: Pick<Webhook, 'namespaceSelector' | 'objectSelector'>,
  r: AdmissionRequest,
  namespaceLabels: Labels,
): boolean {
  const isNamespace = r.definition.group === '' && r.definition.plural === 'namespaces';
  if (isNamespace) {
    if (!selects(hook.namespaceSelector, labelsOf(r.object) ?? labelsOf(r.oldObject))) return false;
  } else if (r.definition.scope === 'Namespaced' && !selects(hook.namespaceSelector, namespaceLabels)) return false;
  const { objectSelector } = hook;
  if (isOpen(objectSelector)) return true;
  const has = (object: DeepReadonly<JsonObject> | null): boolean =>
    object?.['metadata'] !== undefined && selects(objectSelector, labelsOf(object));
  return has(r.object) || has(r.oldObject);
}
