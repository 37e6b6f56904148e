import {
  badRequest,
  conflict,
  type DeepReadonly,
  forbidden,
  isStatusError,
  type KubeObject,
  labelSelectorMatcher,
  notFound,
  type ResourceDefinition,
  StatusError,
  tooManyRequests,
} from '@skiff/apimachinery';
import type { ApiRequest, ApiResponse } from '../../contract.ts';
import type { DeleteOptions } from '../delete-options.ts';
import { deleteObject } from '../delete.ts';
import { ensureNamespace, metadataOf } from '../object-metadata.ts';
import { readEntry } from '../reads.ts';
import { parseWriteOptions } from '../request-options.ts';
import { toApiError } from '../store-errors.ts';
import { keyOf } from '../stored-resource.ts';
import { updateObject } from '../update.ts';
import { admissionRequest, subjectOf, type WriteContext } from '../write-context.ts';
import { admissionOptions, writeContext } from '../write-endpoints.ts';
import { type PodCondition, setPodCondition } from './pod-condition.ts';
import { type BodyKind, decodeSubresourceBody, type RegistrySubresource, type SubresourceDeps, success } from './subresource.ts';

const evictionKind: BodyKind = { group: 'policy', version: 'v1', kind: 'Eviction', schemaName: 'io.k8s.api.policy.v1.Eviction' };
const violates = "Cannot evict pod as it would violate the pod's disruption budget.";
const maxDisruptedPods = 2000;
const maxConflicts = 20;

interface Eviction extends KubeObject {
  deleteOptions?: {
    gracePeriodSeconds?: number;
    preconditions?: { uid?: string; resourceVersion?: string };
    orphanDependents?: boolean;
    propagationPolicy?: string;
    dryRun?: string[];
  };
}
interface EvictedPod extends KubeObject {
  status?: { phase?: string; conditions?: PodCondition[] };
}
interface Budget extends KubeObject {
  spec?: { selector?: Parameters<typeof labelSelectorMatcher>[0]; unhealthyPodEvictionPolicy?: string };
  status?: {
    observedGeneration?: number;
    disruptionsAllowed?: number;
    currentHealthy?: number;
    desiredHealthy?: number;
    disruptedPods?: Record<string, string>;
    conditions?: {
      type: string;
      status: string;
      reason: string;
      message: string;
      lastTransitionTime: string;
      observedGeneration?: number;
    }[];
  };
}

/** POST pods/NAME/eviction: deletes a pod unless a PodDisruptionBudget forbids it at the moment (429, try again). */
export const podEviction: RegistrySubresource = {
  subresource: 'eviction',
  handles: (d) => d.group === '' && d.plural === 'pods',
  create: (d, deps) => ({ definition: d, subresource: 'eviction', create: (r) => evict(d, deps, r) }),
};

async function evict(pods: ResourceDefinition, deps: SubresourceDeps, r: ApiRequest): Promise<ApiResponse> {
  const options = parseWriteOptions(r.query, 'CreateOptions');
  const eviction = decodeSubresourceBody<Eviction>(evictionKind, deps.schema, r, options.fieldValidation);
  const meta = metadataOf(eviction);
  ensureNamespace(meta, pods, r.info.namespace);
  const { name } = r.info;
  const deletion = deletionOf(eviction, options.dryRun);
  const w: WriteContext = {
    ...writeContext(deps.target(pods, ''), deps, r, { dryRun: deletion.dryRun, options: admissionOptions('CreateOptions', options) }),
    subresource: 'eviction',
  };
  const request = admissionRequest(w, 'CREATE', { name, object: eviction, old: undefined });
  await deps.admission.mutate(request, r);
  if (meta.name !== name) throw badRequest('name in URL does not match name in Eviction object');
  await deps.admission.validate(request, r);
  // Admission has seen the eviction; the deletion that follows from it is the server's own.
  const own: WriteContext = { ...w, admission: undefined };
  // The condition is part of the status, which the pod's own strategy would leave as it was.
  const status: WriteContext = { ...own, ...deps.target(pods, 'status'), subresource: 'eviction' };
  try {
    await evictPod({ own, status, deletion, deps }, name);
    return success(r, 201);
  } catch (error) {
    throw toApiError(error, subjectOf(w), 'create');
  }
}

function deletionOf(eviction: Eviction, dryRun: boolean): DeleteOptions {
  const o = eviction.deleteOptions ?? {};
  return {
    gracePeriodSeconds: o.gracePeriodSeconds,
    preconditions: o.preconditions ?? {},
    orphanDependents: o.orphanDependents,
    propagationPolicy: o.propagationPolicy,
    dryRun: dryRun || (o.dryRun ?? []).length > 0,
  };
}

interface EvictionRun {
  readonly own: WriteContext;
  readonly status: WriteContext;
  readonly deletion: DeleteOptions;
  readonly deps: SubresourceDeps;
}

async function evictPod(run: EvictionRun, name: string): Promise<void> {
  const { own: w, deletion, deps } = run;
  const guarded = deletion.preconditions.resourceVersion === undefined;
  for (let attempt = 1; ; attempt++) {
    const pod = await readPod(w, name);
    if (!ignoresBudgets(pod)) {
      // Taken once: what goes wrong from here on is for the client, and a disruption that was not used comes back by its controller.
      const pin = await passBudget(w, pod, deps);
      return await deletePinned(run, name, { pod, pin });
    }
    // A pending pod must not become ready in between; what is over or dying may change as it likes.
    const pin = guarded && pod.status?.phase === 'Pending' && !pod.metadata?.deletionTimestamp;
    try {
      return await markAndDelete(run, name, pin ? pinned(deletion, pod) : deletion);
    } catch (error) {
      if (!isStatusError(error) || error.reason !== 'Conflict' || !guarded || attempt >= maxConflicts) throw error;
    }
  }
}

async function readPod(w: WriteContext, name: string): Promise<EvictedPod> {
  const { resource } = w;
  const entry = await readEntry(resource.stored, keyOf(resource, w.namespace, name));
  if (entry === undefined) throw notFound(subjectOf(w), name);
  const pod: EvictedPod = resource.codec.parse(resource.view.formOf(entry));
  metadataOf(pod).resourceVersion = String(entry.revision);
  return pod;
}

/** Already disrupted, or not yet running: evicting it takes nothing from anyone. */
const ignoresBudgets = (pod: EvictedPod): boolean =>
  ['Succeeded', 'Failed', 'Pending'].includes(pod.status?.phase ?? '') || Boolean(pod.metadata?.deletionTimestamp);

const pinned = (deletion: DeleteOptions, pod: EvictedPod): DeleteOptions => ({
  ...deletion,
  preconditions: { ...deletion.preconditions, resourceVersion: pod.metadata?.resourceVersion ?? '' },
});

async function deletePinned(run: EvictionRun, name: string, o: { pod: EvictedPod; pin: string | undefined }): Promise<void> {
  const { deletion } = run;
  if (o.pin === undefined) return await markAndDelete(run, name, deletion);
  try {
    await markAndDelete(run, name, pinned(deletion, o.pod));
  } catch (error) {
    // The pod changed since it was found unhealthy: clients come again.
    if (isStatusError(error) && error.reason === 'Conflict' && deletion.preconditions.resourceVersion === undefined)
      throw stillProcessed(o.pin);
    throw error;
  }
}

/** Sets the DisruptionTarget condition, then deletes. */
async function markAndDelete({ own: w, status }: EvictionRun, name: string, deletion: DeleteOptions): Promise<void> {
  let { resourceVersion } = deletion.preconditions;
  if (!w.dryRun) {
    const { entry } = await updateObject(status, {
      name,
      produce: (current) => {
        if (current === undefined) throw notFound(subjectOf(w), name);
        const pod: EvictedPod = current.draft();
        checkPreconditions(pod, deletion);
        pod.status ??= {};
        const condition = { type: 'DisruptionTarget', status: 'True', reason: 'EvictionByEvictionAPI', message: 'Eviction API: evicting' };
        setPodCondition(pod.status, condition, w.now);
        return pod;
      },
    });
    if (resourceVersion !== undefined) resourceVersion = String(entry.revision);
  }
  const { uid } = deletion.preconditions;
  const preconditions = { ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) };
  await deleteObject(w, name, { ...deletion, preconditions });
}

function checkPreconditions(pod: EvictedPod, { preconditions }: DeleteOptions): void {
  const { uid, resourceVersion } = pod.metadata ?? {};
  const name = pod.metadata?.name ?? '';
  const about = { group: '', resource: 'Pod' };
  if (preconditions.uid && preconditions.uid !== uid) {
    const why = `the UID in the precondition (${preconditions.uid}) does not match the UID in record (${uid ?? ''}). The object might have been deleted and then recreated`;
    throw conflict(about, name, why);
  }
  if (preconditions.resourceVersion && preconditions.resourceVersion !== resourceVersion) {
    const why = `the ResourceVersion in the precondition (${preconditions.resourceVersion}) does not match the ResourceVersion in record (${resourceVersion ?? ''}). The object might have been modified`;
    throw conflict(about, name, why);
  }
}

/** Takes one disruption from the pod's budget. Returns the budget's name when the pod must be deleted exactly as it was seen. */
async function passBudget(w: WriteContext, pod: EvictedPod, deps: SubresourceDeps): Promise<string | undefined> {
  const definition = deps.definition('policy', 'poddisruptionbudgets') as ResourceDefinition<Budget> | undefined;
  if (definition === undefined) return undefined;
  const labels = pod.metadata?.labels;
  const budgets = deps.objects.list(definition, w.namespace).filter((b) => labelSelectorMatcher(b.spec?.selector).matches(labels));
  const [budget] = budgets;
  if (budget === undefined) return undefined;
  if (budgets.length > 1) {
    throw new StatusError('', 'This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.', {
      code: 500,
    });
  }
  const name = budget.metadata?.name ?? '';
  if (!isReady(pod)) {
    const { currentHealthy = 0, desiredHealthy = 0 } = budget.status ?? {};
    // An unhealthy pod does not count: no disruption is taken for it.
    if (budget.spec?.unhealthyPodEvictionPolicy === 'AlwaysAllow' || (currentHealthy >= desiredHealthy && desiredHealthy > 0)) return name;
  }
  await takeDisruption(w, definition, { name, podName: pod.metadata?.name ?? '' }, deps);
  return undefined;
}

const isReady = (pod: EvictedPod): boolean => (pod.status?.conditions ?? []).some((c) => c.type === 'Ready' && c.status === 'True');

async function takeDisruption(
  w: WriteContext,
  d: ResourceDefinition<Budget>,
  o: { name: string; podName: string },
  deps: SubresourceDeps,
): Promise<void> {
  const take = (budget: Budget): Budget => {
    checkBudget(budget, o.name);
    const status = (budget.status ??= {});
    status.disruptionsAllowed = (status.disruptionsAllowed ?? 0) - 1;
    status.disruptedPods = { ...status.disruptedPods, [o.podName]: w.now };
    if (status.disruptionsAllowed === 0) noteNoDisruptions(budget, w.now);
    return budget;
  };
  if (w.dryRun) {
    const budget = await deps.objects.read(d, w.namespace, o.name);
    if (budget !== undefined) checkBudget(budget, o.name);
    return;
  }
  await deps.objects.update(d, w.namespace, o.name, take, { subresource: 'status' });
}

const cause = (message: string): { reason: string; message: string } => ({ reason: 'DisruptionBudget', message });

function stillProcessed(name: string): StatusError {
  const error = tooManyRequests(violates, 10);
  const causes = [cause(`The disruption budget ${name} is still being processed by the server.`)];
  return new StatusError('TooManyRequests', error.message, { details: { ...error.details, causes } });
}

/** Throws 429 or 403 when the budget allows no disruption now. */
function checkBudget(budget: DeepReadonly<Budget>, name: string): void {
  const {
    observedGeneration = 0,
    disruptionsAllowed = 0,
    disruptedPods = {},
    currentHealthy = 0,
    desiredHealthy = 0,
    conditions = [],
  } = budget.status ?? {};
  const about = { group: 'policy', resource: 'poddisruptionbudget' };
  if (observedGeneration < (budget.metadata?.generation ?? 0)) throw stillProcessed(name);
  if (disruptionsAllowed < 0) throw forbidden(about, name, 'pdb disruptions allowed is negative');
  if (Object.keys(disruptedPods).length > maxDisruptedPods) {
    throw forbidden(about, name, 'DisruptedPods map too big - too many evictions not confirmed by PDB controller');
  }
  if (disruptionsAllowed > 0) return;
  const no = conditions.find((c) => c.type === 'DisruptionAllowed' && c.status === 'False' && c.message !== '');
  let why = `The disruption budget ${name} does not allow evicting pods currently`;
  if (no?.reason === 'SyncFailed') why += ` because it failed sync: ${no.message}`;
  else if (currentHealthy <= desiredHealthy)
    why = `The disruption budget ${name} needs ${desiredHealthy} healthy pods and has ${currentHealthy} currently`;
  else if (no !== undefined) why += ` (${no.reason}): ${no.message}`;
  throw new StatusError('TooManyRequests', violates, { details: { causes: [cause(why)] } });
}

function noteNoDisruptions(budget: Budget, now: string): void {
  const status = (budget.status ??= {});
  const conditions = status.conditions ?? [];
  const old = conditions.find((c) => c.type === 'DisruptionAllowed');
  const next = {
    type: 'DisruptionAllowed',
    status: 'False',
    reason: 'InsufficientPods',
    message: '',
    lastTransitionTime: old?.status === 'False' ? old.lastTransitionTime : now,
    observedGeneration: status.observedGeneration ?? 0,
  };
  status.conditions = [...conditions.filter((c) => c !== old), next];
}
