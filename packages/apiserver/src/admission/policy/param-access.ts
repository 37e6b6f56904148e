import {
  type MutatingAdmissionPolicy,
  mutatingAdmissionPolicy,
  type MutatingAdmissionPolicyBinding,
  type ParamKind,
  type ValidatingAdmissionPolicy,
  validatingAdmissionPolicy,
  type ValidatingAdmissionPolicyBinding,
} from '@skiff/api';
import {
  type DeepReadonly,
  FieldErrors,
  invalid,
  jsonEqual,
  type Json,
  parseGroupVersion,
  type ResourceDefinition,
} from '@skiff/apimachinery';
import { mastersGroup } from '../../authn/authenticator.ts';
import { resourceAttributes } from '../../authz/authorizer.ts';
import type { AdmissionRequest, UserInfo } from '../../contract.ts';
import type { AdmissionPlugin } from '../plugin.ts';
import { PolicyError, paramDefinition } from './params.ts';
import type { PolicyDeps } from './policy-deps.ts';

type Policy = DeepReadonly<ValidatingAdmissionPolicy | MutatingAdmissionPolicy>;
type Binding = DeepReadonly<ValidatingAdmissionPolicyBinding | MutatingAdmissionPolicyBinding>;

const group = 'admissionregistration.k8s.io';

/** A user as Go prints one. */
function goUser({ name, uid = '', groups, extra = {} }: UserInfo): string {
  const entries = Object.keys(extra)
    .sort()
    .map((key) => `${key}:[${(extra[key] ?? []).join(' ')}]`);
  return `&{${name} ${uid} [${groups.join(' ')}] map[${entries.join(' ')}]}`;
}

interface Wanted {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
}
const everything: Wanted = { group: '*', version: '*', resource: '*' };

/** What reading parameters of a kind takes; of a kind that is not served, whatever it may turn out to be called. */
function wantedFor(kind: DeepReadonly<ParamKind>, definitions: readonly ResourceDefinition[]): Wanted & { readonly resolved: boolean } {
  const groupVersion = parseGroupVersion(kind.apiVersion ?? '');
  try {
    return { ...groupVersion, resource: paramDefinition(kind, definitions).plural, resolved: true };
  } catch (error) {
    if (error instanceof PolicyError) return { ...groupVersion, resource: '*', resolved: false };
    throw error;
  }
}

/**
 * Nobody reads by a policy what he may not read himself: who names a kind or objects as parameters must be allowed to get them. Where
 * upstream's storage of policies does it, on the final object.
 */
export const policyParamAccess = (deps: PolicyDeps): AdmissionPlugin => {
  const may = (r: AdmissionRequest, verb: string, wanted: Wanted, of: { namespace: string; name: string }): Promise<boolean> =>
    Promise.resolve(
      deps.authorizer().authorize(
        resourceAttributes(r.user, {
          verb,
          group: wanted.group,
          version: wanted.version,
          resource: wanted.resource,
          namespace: of.namespace,
          name: of.name,
        }),
      ),
    ).then((d) => d.decision === 'allow');

  const refuse = (r: AdmissionRequest, field: string, why: string): never => {
    const errors = new FieldErrors();
    errors.forbidden(field, why);
    throw invalid({ group, kind: r.definition.kind }, r.name, errors.list);
  };

  const checkPolicy = async (r: AdmissionRequest): Promise<void> => {
    const kind = (r.object as unknown as Policy).spec?.paramKind;
    const old = (r.oldObject as unknown as Policy | null)?.spec?.paramKind;
    if (kind === undefined || (old !== undefined && old.apiVersion === kind.apiVersion && old.kind === kind.kind)) return;
    if (await may(r, 'get', wantedFor(kind, deps.definitions()), { namespace: '*', name: '*' })) return;
    const of = `(kind=${kind.kind ?? ''}, apiVersion=${kind.apiVersion ?? ''})`;
    refuse(r, 'spec.paramKind', `user ${goUser(r.user)} must have "get" permission on all objects of the referenced paramKind ${of}`);
  };

  const checkBinding = async (r: AdmissionRequest): Promise<void> => {
    const { spec } = r.object as unknown as Binding;
    const old = (r.oldObject as unknown as Binding | null)?.spec;
    const ref = spec?.paramRef;
    if (ref === undefined) return;
    if (old?.paramRef !== undefined && old.policyName === spec?.policyName && jsonEqual(old.paramRef as Json, ref as Json)) return;
    const mutating = r.definition.kind === 'MutatingAdmissionPolicyBinding';
    const policies = (mutating ? mutatingAdmissionPolicy : validatingAdmissionPolicy) as ResourceDefinition;
    const policyName = spec?.policyName ?? '';
    const policy = deps.objects.get(policies, '', policyName) as Policy | undefined;
    const kind = policy?.spec?.paramKind;
    const wanted = kind === undefined ? { ...everything, resolved: true } : wantedFor(kind, deps.definitions());
    const verb = ref.name ? 'get' : 'list';
    if (await may(r, verb, wanted, { namespace: ref.namespace ?? '', name: ref.name ?? '' })) return;
    const user = goUser(r.user);
    const all = `to determine minimum required permissions and user ${user} does not have "${verb}" permission for all groups, versions and resources`;
    if (policy === undefined) return refuse(r, 'spec.paramRef', `unable to get policy ${policyName} ${all}`);
    if (!wanted.resolved) {
      const shown = `&{${kind?.apiVersion ?? ''} ${kind?.kind ?? ''}}`;
      return refuse(r, 'spec.paramRef', `unable to resolve paramKind ${shown} ${all}`);
    }
    // Upstream has the two words in the other order for mutating policies.
    const [who, what] = mutating ? [verb, user] : [user, verb];
    return refuse(r, 'spec.paramRef', `user ${who} does not have "${what}" permission on the object referenced by paramRef`);
  };

  return {
    name: 'PolicyParamAccess',
    handles: (r) => r.definition.group === group && r.subresource === '' && (r.operation === 'CREATE' || r.operation === 'UPDATE'),
    validate: async (r) => {
      if (r.user.groups.includes(mastersGroup)) return;
      if (r.definition.kind.endsWith('AdmissionPolicy')) await checkPolicy(r);
      else if (r.definition.kind.endsWith('AdmissionPolicyBinding')) await checkBinding(r);
    },
  };
};
