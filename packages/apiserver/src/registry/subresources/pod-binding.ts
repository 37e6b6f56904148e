import {
  badRequest,
  conflict,
  FieldErrors,
  formatFieldError,
  type KubeObject,
  notFound,
  type ResourceDefinition,
  StatusError,
} from '@skiff/apimachinery';
import type { ApiRequest, ApiResponse } from '../../contract.ts';
import { guaranteedUpdate } from '../guaranteed-update.ts';
import { ensureNamespace, metadataOf } from '../object-metadata.ts';
import { managerOf, parseWriteOptions } from '../request-options.ts';
import { toApiError } from '../store-errors.ts';
import { keyOf } from '../stored-resource.ts';
import { admissionRequest, subjectOf } from '../write-context.ts';
import { admissionOptions, writeContext } from '../write-endpoints.ts';
import { type PodCondition, setPodCondition } from './pod-condition.ts';
import { type BodyKind, decodeSubresourceBody, type RegistrySubresource, type SubresourceDeps, success } from './subresource.ts';

const bindingKind: BodyKind = { group: '', version: 'v1', kind: 'Binding', schemaName: 'io.k8s.api.core.v1.Binding' };

interface Binding extends KubeObject {
  target?: { kind?: string; name?: string };
}
interface BoundPod extends KubeObject {
  spec?: { nodeName?: string; schedulingGates?: unknown[] };
  status?: { conditions?: PodCondition[]; nominatedNodeName?: string };
}

/** POST pods/NAME/binding, and the same to `bindings` with the name in the body: assigns a pod to a node, once. */
export async function bindPod(pods: ResourceDefinition, deps: SubresourceDeps, r: ApiRequest): Promise<ApiResponse> {
  const options = parseWriteOptions(r.query, 'CreateOptions');
  const binding = decodeSubresourceBody<Binding>(bindingKind, deps.schema, r, options.fieldValidation);
  const meta = metadataOf(binding);
  ensureNamespace(meta, pods, r.info.namespace);
  const name = r.info.subresource === 'binding' ? r.info.name : (meta.name ?? '');
  const w = {
    ...writeContext(deps.target(pods, ''), deps, r, {
      manager: managerOf(options, r.userAgent),
      dryRun: options.dryRun,
      options: admissionOptions('CreateOptions', options),
    }),
    subresource: 'binding',
  };
  // What is posted to `bindings` is admitted as that: policies and webhooks tell the two apart.
  const own = r.info.subresource === 'binding' ? undefined : deps.definition('', 'bindings');
  const request = {
    ...admissionRequest(w, 'CREATE', { name, object: binding, old: undefined }),
    ...(own === undefined ? {} : { definition: own, subresource: '' }),
  };
  await deps.admission.mutate(request, r);
  if (meta.name !== name) throw badRequest('name in URL does not match name in Binding object');
  const errors = new FieldErrors();
  const target = binding.target ?? {};
  if (target.kind && target.kind !== 'Node') errors.notSupported('target.kind', target.kind, ['Node', '<empty>']);
  if (!target.name) errors.required('target.name');
  if (!errors.empty) throw new StatusError('', errors.list.map(formatFieldError).join(', '));
  await deps.admission.validate(request, r);
  try {
    await guaranteedUpdate(w.resource, {
      key: keyOf(w.resource, r.info.namespace, name),
      dryRun: w.dryRun,
      guard: w.guard,
      lifetime: r,
      change: (entry) => {
        if (entry === undefined) throw notFound(subjectOf(w), name);
        const pod: BoundPod = w.resource.codec.parse(w.resource.view.formOf(entry));
        checkPreconditions(pod, binding, String(entry.revision));
        assign(pod, binding, w.now);
        return { kind: 'put', encoded: w.resource.codec.encode(pod) };
      },
    });
    return success(r, 201);
  } catch (error) {
    throw toApiError(error, subjectOf(w), 'create');
  }
}

function checkPreconditions(pod: BoundPod, binding: Binding, resourceVersion: string): void {
  const asked = binding.metadata ?? {};
  const is = pod.metadata ?? {};
  const fail = (why: string): StatusError => conflict({ group: '', resource: 'pods' }, is.name ?? '', `Precondition failed: ${why}`);
  if (asked.uid && asked.uid !== is.uid) throw fail(`UID in precondition: ${asked.uid}, UID in object meta: ${is.uid ?? ''}`);
  if (asked.resourceVersion && asked.resourceVersion !== resourceVersion) {
    throw fail(`ResourceVersion in precondition: ${asked.resourceVersion}, ResourceVersion in object meta: ${resourceVersion}`);
  }
}

function assign(pod: BoundPod, binding: Binding, now: string): void {
  const meta = metadataOf(pod);
  const name = meta.name ?? '';
  const refuse = (why: string): StatusError => conflict({ group: '', resource: 'pods/binding' }, name, why);
  if (meta.deletionTimestamp) throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  if (pod.spec?.nodeName) throw refuse(`pod ${name} is already assigned to node "${pod.spec.nodeName}"`);
  if ((pod.spec?.schedulingGates ?? []).length > 0) throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
  pod.spec = { ...pod.spec, nodeName: binding.target?.name ?? '' };
  const { annotations, labels } = binding.metadata ?? {};
  if (annotations !== undefined) meta.annotations = { ...meta.annotations, ...annotations };
  if (labels !== undefined) meta.labels = { ...meta.labels, ...labels };
  pod.status ??= {};
  delete pod.status.nominatedNodeName;
  setPodCondition(pod.status, { type: 'PodScheduled', status: 'True' }, now);
}

export const podBinding: RegistrySubresource = {
  subresource: 'binding',
  handles: (d) => d.group === '' && d.plural === 'pods',
  create: (d, deps) => ({ definition: d, subresource: 'binding', create: (r) => bindPod(d, deps, r) }),
};
