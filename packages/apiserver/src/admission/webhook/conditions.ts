import { type DeepReadonly, forbidden, type JsonObject, type ResourceDefinition } from '@skiff/apimachinery';
import { adapt, requestType, type Value } from '@skiff/cel';
import type { Authorizer } from '../../authz/authorizer.ts';
import type { AdmissionRequest } from '../../contract.ts';
import { Budget, matchBudget, Scope } from '../policy/activation.ts';
import { authorizerVariables } from '../policy/authorizer-value.ts';
import { compileHead, ConditionError, type PolicyHead } from '../policy/policy-head.ts';
import { canonicalObject, formOf } from '../object-form.ts';
import { requestVariable } from '../policy/request-view.ts';
import type { Webhook } from './match.ts';

/** The objects of a request as another version has them. */
type Convert = (object: DeepReadonly<JsonObject> | null, as: ResourceDefinition) => Promise<JsonObject | null>;

/** Compiled once for each version of a configuration. */
const compiled = new WeakMap<Webhook, PolicyHead>();
function headOf(hook: Webhook): PolicyHead {
  let head = compiled.get(hook);
  if (head === undefined) {
    const { failurePolicy = 'Fail', matchConditions = [] } = hook;
    head = compileHead({ failurePolicy, matchConditions });
    compiled.set(hook, head);
  }
  return head;
}

/**
 * Says whether a webhook's matchConditions let a request through to it, as they see it in the version `as`. Throws Forbidden where one
 * fails and the webhook may not.
 */
export function conditionsOf(
  r: AdmissionRequest,
  authorizer: () => Authorizer,
  convert: Convert,
): (hook: Webhook, as: ResourceDefinition) => Promise<boolean> {
  let authorizers: Readonly<Record<string, Value>> | undefined;
  const shown = async (object: DeepReadonly<JsonObject> | null, as: ResourceDefinition): Promise<Value> => {
    if (object === null) return null;
    const converted = await convert(object, as);
    return converted === null ? null : adapt(canonicalObject(formOf(r, as), converted));
  };
  return async (hook, as) => {
    if ((hook.matchConditions ?? []).length === 0) return true;
    const head = headOf(hook);
    authorizers ??= authorizerVariables(r, authorizer());
    const names = {
      ...authorizers,
      object: await shown(r.object, as),
      oldObject: await shown(r.oldObject, as),
      request: () => adapt(requestVariable(r, as), requestType),
      namespaceObject: null,
    };
    try {
      return await head.matches(new Scope(names, [], new Budget(matchBudget)));
    } catch (error) {
      if (!(error instanceof ConditionError)) throw error;
      throw forbidden({ group: r.definition.group, resource: r.definition.plural }, r.name, error.message);
    }
  };
}
