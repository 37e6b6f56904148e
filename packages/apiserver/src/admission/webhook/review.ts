import { randomUUID } from 'node:crypto';
import {
  type DeepReadonly,
  type JsonObject,
  type ResourceDefinition,
  StatusError,
  type StatusReason,
  statusReasons,
} from '@skiff/apimachinery';
import type { AdmissionRequest } from '../../contract.ts';
import { requestedName } from '../refuse.ts';
import { WebhookError } from './client.ts';

const isObject = (value: unknown): value is JsonObject => typeof value === 'object' && value !== null && !Array.isArray(value);

const gvk = (d: ResourceDefinition, subresource: string): JsonObject => {
  const sub = subresource === '' ? undefined : d.subresources?.[subresource];
  // The body of a scale is a Scale; that of a status is the object.
  return { group: sub?.group ?? d.group, version: sub?.version ?? d.version, kind: sub?.kind ?? d.kind };
};
const gvr = (d: ResourceDefinition): JsonObject => ({ group: d.group, version: d.version, resource: d.plural });

/** Versions of AdmissionReview. They have the same fields. */
export type ReviewVersion = 'v1' | 'v1beta1';

/** The first that a webhook names of those that are known. Throws WebhookError. */
export function reviewVersion(accepted: readonly string[]): ReviewVersion {
  const found = accepted.find((v): v is ReviewVersion => v === 'v1' || v === 'v1beta1');
  if (found === undefined) throw new WebhookError('webhook does not accept known AdmissionReview versions (v1, v1beta1)');
  return found;
}

/** The AdmissionReview of a request, as the definition `as` sees it. */
export function admissionReview(
  r: AdmissionRequest,
  as: ResourceDefinition,
  objects: { readonly object: DeepReadonly<JsonObject> | null; readonly oldObject: DeepReadonly<JsonObject> | null },
  version: ReviewVersion = 'v1',
): { readonly uid: string; readonly review: JsonObject } {
  const uid = randomUUID();
  const { user } = r;
  const name = r.operation === 'CREATE' ? (requestedName(r) === 'Unknown' ? '' : requestedName(r)) : r.name;
  return {
    uid,
    review: {
      kind: 'AdmissionReview',
      apiVersion: `admission.k8s.io/${version}`,
      request: {
        uid,
        kind: gvk(as, r.subresource),
        resource: gvr(as),
        ...(r.subresource === '' ? {} : { subResource: r.subresource }),
        requestKind: gvk(r.definition, r.subresource),
        requestResource: gvr(r.definition),
        ...(r.subresource === '' ? {} : { requestSubResource: r.subresource }),
        ...(name === '' ? {} : { name }),
        ...(r.namespace === '' ? {} : { namespace: r.namespace }),
        operation: r.operation,
        userInfo: {
          username: user.name,
          ...(user.uid === undefined ? {} : { uid: user.uid }),
          groups: [...user.groups],
          ...(user.extra === undefined ? {} : { extra: structuredClone(user.extra) as unknown as JsonObject }),
        },
        object: objects.object as JsonObject | null,
        oldObject: objects.oldObject as JsonObject | null,
        dryRun: r.dryRun,
        options: r.operation === 'CONNECT' ? null : r.options,
      },
    },
  };
}

export interface ReviewAnswer {
  readonly allowed: boolean;
  readonly status: JsonObject | undefined;
  readonly warnings: readonly string[];
  /** JSON patch. */
  readonly patch: Buffer | undefined;
}

/** Reads a webhook's answer; of an older version less is asked. Throws WebhookError when it is none. */
export function readAnswer(answer: unknown, uid: string, version: ReviewVersion = 'v1'): ReviewAnswer {
  const isStrict = version === 'v1';
  if (!isObject(answer)) throw new WebhookError('webhook response was absent');
  if (isStrict && (answer['kind'] !== 'AdmissionReview' || answer['apiVersion'] !== 'admission.k8s.io/v1')) {
    throw new WebhookError('expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview');
  }
  const response = answer['response'];
  if (!isObject(response)) throw new WebhookError('webhook response was absent');
  if (isStrict && response['uid'] !== uid)
    throw new WebhookError(`expected response.uid=${JSON.stringify(uid)}, got ${JSON.stringify(response['uid'] ?? '')}`);
  const { patch, patchType, warnings, status } = response;
  const hasPatch = typeof patch === 'string' && patch !== '';
  if (isStrict && hasPatch && patchType !== 'JSONPatch')
    throw new WebhookError(`unsupported patch type ${JSON.stringify(patchType ?? '')}`);
  if (isStrict && !hasPatch && patchType !== undefined)
    throw new WebhookError('webhook returned response.patchType but not response.patch');
  return {
    allowed: response['allowed'] === true,
    status: isObject(status) ? status : undefined,
    warnings: Array.isArray(warnings) ? warnings.filter((w): w is string => typeof w === 'string') : [],
    patch: hasPatch ? Buffer.from(patch, 'base64') : undefined,
  };
}

/** What the client is told when a webhook says no: the webhook's own status, under its name. */
export function denial(name: string, status: JsonObject | undefined): StatusError {
  const by = `admission webhook ${JSON.stringify(name)} denied the request`;
  const message = typeof status?.['message'] === 'string' ? status['message'] : '';
  const given = typeof status?.['reason'] === 'string' ? status['reason'] : '';
  const code = typeof status?.['code'] === 'number' ? status['code'] : 0;
  const reason = (given in statusReasons ? given : reasonOf(code)) as StatusReason;
  const text = message !== '' ? `${by}: ${message}` : given !== '' ? `${by}: ${given}` : `${by} without explanation`;
  return new StatusError(reason, text, {
    details: {},
    code: code >= 400 && code < 600 ? code : given === '' && code === 0 ? 400 : statusReasons[reason],
  });
}

const reasonOf = (code: number): StatusReason | '' =>
  code === 403 ? 'Forbidden' : ((Object.entries(statusReasons).find(([, c]) => c === code)?.[0] ?? '') as StatusReason | '');
