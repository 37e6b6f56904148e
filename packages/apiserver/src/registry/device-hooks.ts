import type { DeviceClaim, ResourceClaim, ResourceClaimTemplate } from '@skiff/api';
import { type DeepReadonly, FieldErrors, invalid, type KubeObject } from '@skiff/apimachinery';
import type { ResourceHooks } from './resource-hooks.ts';

const label = 'resource.kubernetes.io/admin-access';
type Claim = DeepReadonly<KubeObject & Partial<Pick<ResourceClaim, 'spec' | 'status'>>>;
type Template = DeepReadonly<KubeObject & Partial<Pick<ResourceClaimTemplate, 'spec'>>>;
type Requests = DeepReadonly<DeviceClaim['requests']>;

/** The place of the first request that wants devices whoever else has them. */
function askedAt(requests: Requests): string | undefined {
  const i = (requests ?? []).findIndex((r) => r.exactly?.adminAccess === true);
  return i < 0 ? undefined : `spec.devices.requests[${i}].adminAccess`;
}
function grantedAt(claim: Claim): string | undefined {
  const i = (claim.status?.allocation?.devices?.results ?? []).findIndex((r) => r.adminAccess === true);
  return i < 0 ? undefined : `status.allocation.devices.results[${i}].adminAccess`;
}

/**
 * ResourceClaims and their templates may ask for admin access to devices only in namespaces that allow it by a label. `labelsOf`: of
 * the namespace of a name, as far as it is known.
 */
export function createDeviceHooks(labelsOf: (namespace: string) => Readonly<Record<string, string>> | undefined): {
  readonly claims: ResourceHooks;
  readonly templates: ResourceHooks;
} {
  const check = async (kind: string, object: DeepReadonly<KubeObject>, field: string | undefined): Promise<undefined> => {
    const { name = '', namespace = '' } = object.metadata ?? {};
    if (field === undefined || labelsOf(namespace)?.[label] === 'true') return;
    const errors = new FieldErrors();
    errors.forbidden(field, `admin access to devices requires the \`${label}: true\` label on the containing namespace`);
    throw invalid({ group: 'resource.k8s.io', kind }, name, errors.list);
  };
  return {
    claims: {
      beforeCreate: (draft: Claim) => check('ResourceClaim', draft, askedAt(draft.spec?.devices?.requests)),
      beforeUpdate: (draft: Claim, old: Claim) =>
        check('ResourceClaim', draft, grantedAt(old) === undefined ? grantedAt(draft) : undefined),
    },
    templates: {
      beforeCreate: (draft: Template) => check('ResourceClaimTemplate', draft, askedAt(draft.spec?.spec?.devices?.requests)),
    },
  };
}
