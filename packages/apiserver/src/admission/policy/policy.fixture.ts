import {
  builtinResources,
  configMap,
  type MutatingAdmissionPolicy,
  mutatingAdmissionPolicy,
  type MutatingAdmissionPolicyBinding,
  mutatingAdmissionPolicyBinding,
  type MutatingAdmissionPolicySpec,
  type Namespace,
  namespace,
  type ValidatingAdmissionPolicy,
  validatingAdmissionPolicy,
  type ValidatingAdmissionPolicyBinding,
  validatingAdmissionPolicyBinding,
  type ValidatingAdmissionPolicySpec,
} from '@skiff/api';
import type { JsonObject, KubeObject, ResourceDefinition } from '@skiff/apimachinery';
import type { AuthorizationAttributes } from '../../authz/authorizer.ts';
import type { AdmissionRequest } from '../../contract.ts';
import { FakeObjects } from '../../object-access.fake.ts';
import { createAdmissionChain } from '../plugin.ts';
import { mutatingPolicies } from './mutating.ts';
import { policyParamAccess } from './param-access.ts';
import type { PolicyDeps } from './policy-deps.ts';
import { validatingPolicies } from './validating.ts';

export const onConfigMaps = {
  matchPolicy: 'Equivalent',
  namespaceSelector: {},
  objectSelector: {},
  resourceRules: [{ operations: ['*'], apiGroups: [''], apiVersions: ['v1'], resources: ['configmaps'], scope: '*' }],
};

/** Policies on ConfigMaps, and requests to try them on. */
export class PolicyWorld {
  readonly objects = new FakeObjects();
  readonly annotations = new Map<string, string>();
  /** Who is asked what; all but what is listed is allowed. */
  readonly refused = new Set<string>();
  readonly asked: string[] = [];
  /** The authorizer takes its time. */
  slow = false;
  readonly #deps: PolicyDeps = {
    objects: this.objects,
    definitions: () => builtinResources,
    convert: () => Promise.reject(new Error('no kind here is converted by a webhook')),
    authorizer: () => ({
      name: 'test',
      authorize: (a: AuthorizationAttributes) => {
        this.asked.push(`${a.verb} ${a.resource}`);
        const answer = { decision: this.refused.has(`${a.verb} ${a.resource}`) ? ('no-opinion' as const) : ('allow' as const), reason: '' };
        return this.slow ? Promise.resolve(answer) : answer;
      },
    }),
  };
  readonly #chain = createAdmissionChain([mutatingPolicies(this.#deps), validatingPolicies(this.#deps), policyParamAccess(this.#deps)]);

  constructor() {
    this.objects.put<Namespace>(namespace, { metadata: { name: 'a', labels: { team: 'x' } }, spec: {}, status: { phase: 'Active' } });
  }

  validating(name: string, spec: ValidatingAdmissionPolicySpec, binding: Partial<ValidatingAdmissionPolicyBinding['spec']> = {}): void {
    const full = { failurePolicy: 'Fail', matchConstraints: onConfigMaps, ...spec };
    this.objects.put<ValidatingAdmissionPolicy>(validatingAdmissionPolicy, { metadata: { name }, spec: full });
    this.objects.put<ValidatingAdmissionPolicyBinding>(validatingAdmissionPolicyBinding, {
      metadata: { name: `${name}-binding` },
      spec: { policyName: name, validationActions: ['Deny'], ...binding },
    });
  }

  mutating(name: string, spec: MutatingAdmissionPolicySpec, binding: Partial<MutatingAdmissionPolicyBinding['spec']> = {}): void {
    const full = { failurePolicy: 'Fail', reinvocationPolicy: 'Never', matchConstraints: onConfigMaps, ...spec };
    this.objects.put<MutatingAdmissionPolicy>(mutatingAdmissionPolicy, { metadata: { name }, spec: full });
    this.objects.put<MutatingAdmissionPolicyBinding>(mutatingAdmissionPolicyBinding, {
      metadata: { name: `${name}-binding` },
      spec: { policyName: name, ...binding },
    });
  }

  /** The request as it is when all have had their say. Throws what a plugin throws. */
  async admit(object: object | null, more: Partial<AdmissionRequest> = {}): Promise<AdmissionRequest> {
    const name = (object as KubeObject | null)?.metadata?.name ?? '';
    const r: AdmissionRequest = {
      operation: 'CREATE',
      definition: configMap as unknown as ResourceDefinition,
      subresource: '',
      namespace: 'a',
      name,
      object: object === null ? null : { kind: 'ConfigMap', apiVersion: 'v1', ...(object as JsonObject) },
      oldObject: null,
      options: {},
      dryRun: false,
      user: { name: 'bob', groups: ['g'] },
      warnings: [],
      memo: new Map(),
      audit: { annotate: (key, value) => void this.annotations.set(key, value) },
      ...more,
    };
    const lifetime = new AbortController();
    await this.#chain.mutate(r, lifetime);
    await this.#chain.validate(r, lifetime);
    return r;
  }
}

export const map = (data: Record<string, string> = {}, labels: Record<string, string> = {}): object => ({
  metadata: { name: 'm', namespace: 'a', labels },
  data,
});
