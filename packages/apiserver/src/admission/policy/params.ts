import type { ParamKind, ParamRef } from '@skiff/api';
import {
  type DeepReadonly,
  formatGroupVersion,
  type KubeObject,
  labelSelectorMatcher,
  parseGroupVersion,
  type ResourceDefinition,
} from '@skiff/apimachinery';
import type { ObjectAccess } from '../../contract.ts';

/** A policy or binding that can't be used as it stands: its failurePolicy decides. */
export class PolicyError extends Error {
  override readonly name = 'PolicyError';
}

/** The definition of the kind that parameters have. Throws PolicyError when there is no such kind. */
export function paramDefinition(kind: DeepReadonly<ParamKind>, definitions: readonly ResourceDefinition[]): ResourceDefinition {
  const { group, version } = parseGroupVersion(kind.apiVersion ?? '');
  const found = definitions.find((d) => d.group === group && d.version === version && d.kind === kind.kind && d.virtual !== true);
  if (found !== undefined) return found;
  const text = `${formatGroupVersion(group, version)}`;
  throw new PolicyError(
    `failed to find resource referenced by paramKind: '${text.includes('/') ? text : `/${text}`}, Kind=${kind.kind ?? ''}'`,
  );
}

/**
 * The parameters that a binding names for a request in `namespace`: one run of the policy for each, none to pass it over. A null is a run
 * without parameters. Throws PolicyError.
 */
export function collectParams(
  kind: ResourceDefinition | undefined,
  ref: DeepReadonly<ParamRef> | undefined,
  namespace: string,
  objects: ObjectAccess,
): readonly (DeepReadonly<KubeObject> | null)[] {
  if (kind === undefined || ref === undefined) return [null];
  let within = '';
  if (kind.scope === 'Namespaced') {
    within = ref.namespace || namespace;
    if (within === '') throw new PolicyError('cannot use namespaced paramRef in policy binding that matches cluster-scoped resources');
  } else if (ref.namespace) throw new PolicyError('paramRef.namespace must not be provided for a cluster-scoped `paramKind`');
  const found = selectParams(kind, ref, within, objects);
  if (found.length === 0 && ref.parameterNotFoundAction === 'Deny') {
    throw new PolicyError('no params found for policy binding with `Deny` parameterNotFoundAction');
  }
  return found;
}

function selectParams(
  kind: ResourceDefinition,
  ref: DeepReadonly<ParamRef>,
  namespace: string,
  objects: ObjectAccess,
): readonly DeepReadonly<KubeObject>[] {
  if (ref.name) {
    const object = objects.get(kind, namespace, ref.name);
    return object === undefined ? [] : [object];
  }
  if (ref.selector === undefined) throw new PolicyError('one of name or selector must be provided');
  const selector = labelSelectorMatcher(ref.selector as Parameters<typeof labelSelectorMatcher>[0]);
  return objects.list(kind, namespace).filter((o) => selector.matches(o.metadata?.labels ?? {}));
}
