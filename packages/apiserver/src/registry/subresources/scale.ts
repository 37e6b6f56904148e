import {
  badRequest,
  conflict,
  createTypedCodec,
  type DeepReadonly,
  FieldErrors,
  invalid,
  type JsonObject,
  type KubeObject,
  labelSelectorMatcher,
  labelSetMatcher,
  type ManagedFieldsEntry,
  nameIsDNSSubdomain,
  notFound,
  applyPatch,
  patchContentTypes,
  preparePatch,
  StatusError,
  type ResourceDefinition,
  type ScalePaths,
  SelectorError,
  validateObjectMeta,
} from '@skiff/apimachinery';
import type { AdmissionChain, ApiRequest, ApiResponse } from '../../contract.ts';
import { type FieldOwner, recordUpdate } from '../managed-fields.ts';
import { checkName, ensureNamespace, metadataOf } from '../object-metadata.ts';
import { parseConfiguration } from '../patch.ts';
import { readEntry } from '../reads.ts';
import { unsupportedMediaType } from '../request-body.ts';
import { managerOf, parseWriteOptions } from '../request-options.ts';
import { toApiError } from '../store-errors.ts';
import { keyOf } from '../stored-resource.ts';
import { updateObject } from '../update.ts';
import { prepareEntries } from '../webhook-conversion.ts';
import { admissionRequest, subjectOf, warn } from '../write-context.ts';
import { admissionOptions, writeContext } from '../write-endpoints.ts';
import { type BodyKind, decodeSubresourceBody, presentObject, type RegistrySubresource, type SubresourceDeps } from './subresource.ts';

const scaleKind: BodyKind = { group: 'autoscaling', version: 'v1', kind: 'Scale', schemaName: 'io.k8s.api.autoscaling.v1.Scale' };

export interface Scale extends KubeObject {
  spec?: { replicas?: number };
  status?: { replicas: number; selector?: string };
}
interface Workload extends KubeObject {
  spec?: { replicas?: number; selector?: Record<string, unknown> };
  status?: { replicas?: number };
}

/** The Scale of a workload, with its resourceVersion. Throws BadRequest when its selector is none. */
export function scaleOf(d: ResourceDefinition, workload: DeepReadonly<Workload>): Scale {
  const { name, namespace, uid, resourceVersion, creationTimestamp } = workload.metadata ?? {};
  return {
    kind: 'Scale',
    apiVersion: 'autoscaling/v1',
    metadata: {
      ...(name === undefined ? {} : { name }),
      ...(namespace === undefined ? {} : { namespace }),
      ...(uid === undefined ? {} : { uid }),
      ...(resourceVersion === undefined ? {} : { resourceVersion }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
    ...(d.custom?.scale === undefined
      ? {
          spec: { replicas: workload.spec?.replicas ?? 0 },
          status: { replicas: workload.status?.replicas ?? 0, selector: selectorText(d, workload) },
        }
      : customScale(workload, d.custom.scale)),
  };
}

/** A custom object's numbers, from where its definition says they are. */
function customScale(object: DeepReadonly<KubeObject>, paths: ScalePaths): Pick<Scale, 'spec' | 'status'> {
  const at = (path: string): unknown => valueAt(object, path);
  const replicas = at(paths.specReplicas);
  const current = at(paths.statusReplicas);
  const selector = paths.labelSelector === undefined ? undefined : at(paths.labelSelector);
  return {
    spec: typeof replicas === 'number' ? { replicas } : {},
    status: { replicas: typeof current === 'number' ? current : 0, ...(typeof selector === 'string' ? { selector } : {}) },
  };
}

/** The names of a dotted path such as `.spec.replicas`, the only form that definitions may have here. */
const pathNames = (path: string): readonly string[] => path.replace(/^\./, '').split('.');

function valueAt(object: unknown, path: string): unknown {
  let value = object;
  for (const name of pathNames(path)) value = (value as Record<string, unknown> | null | undefined)?.[name];
  return value;
}

function setAt(object: KubeObject, path: string, value: number): void {
  let at = object as unknown as Record<string, unknown>;
  const names = pathNames(path);
  for (const name of names.slice(0, -1)) {
    const below = at[name];
    at[name] = typeof below === 'object' && below !== null ? below : {};
    at = at[name] as Record<string, unknown>;
  }
  at[names.at(-1) ?? ''] = value;
}

function selectorText(d: ResourceDefinition, workload: DeepReadonly<Workload>): string {
  const selector = workload.spec?.selector;
  if (d.kind === 'ReplicationController') return labelSetMatcher(selector as Record<string, string> | undefined).toString();
  try {
    return labelSelectorMatcher(selector as Parameters<typeof labelSelectorMatcher>[0]).toString();
  } catch (error) {
    if (error instanceof SelectorError) throw badRequest(error.message);
    throw error;
  }
}

const subject = (d: ResourceDefinition): { group: string; resource: string } => ({ group: d.group, resource: `${d.plural}/scale` });

/** Moves what a Scale may say onto the workload. Throws Invalid and Conflict. */
function applyScale(d: ResourceDefinition, workload: Workload, scale: Scale): void {
  const errors = new FieldErrors();
  validateObjectMeta(scale.metadata ?? {}, { scope: 'Namespaced', validateName: nameIsDNSSubdomain }, errors);
  const replicas = scale.spec?.replicas ?? 0;
  // The paths of a custom kind have checks of their own.
  if (replicas < 0 && d.custom === undefined) errors.invalid('spec.replicas', replicas, 'must be greater than or equal to 0');
  const name = workload.metadata?.name ?? '';
  if (!errors.empty) throw invalid({ group: 'autoscaling', kind: 'Scale' }, name, errors.list);
  const uid = scale.metadata?.uid;
  if (uid && uid !== workload.metadata?.uid) {
    throw conflict(
      subject(d),
      name,
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${workload.metadata?.uid ?? ''}`,
    );
  }
  if (d.custom?.scale === undefined) workload.spec = { ...workload.spec, replicas };
  else setAt(workload, d.custom.scale.specReplicas, replicas);
  const meta = metadataOf(workload);
  if (scale.metadata?.resourceVersion) meta.resourceVersion = scale.metadata.resourceVersion;
  else delete meta.resourceVersion;
}

/** Admission hears of Scales: of their changes before they are applied, and of what the workload's scale will be. */
const scaleAdmission = (d: ResourceDefinition, chain: AdmissionChain): AdmissionChain => ({
  mutate: async () => undefined,
  validate: async (request, lifetime) => {
    const scaled = (object: unknown): JsonObject | null =>
      object === null ? null : (scaleOf(d, object as DeepReadonly<Workload>) as JsonObject);
    await chain.validate({ ...request, object: scaled(request.object), oldObject: scaled(request.oldObject) }, lifetime);
  },
});

/** A Scale as it is wanted, and whose fields are whose then; without them it is a plain update of the writer's. */
interface Made {
  readonly scale: Scale;
  readonly managedFields?: ManagedFieldsEntry[] | undefined;
  readonly applied?: boolean;
}

/**
 * Server-side apply of a Scale: who applies it owns the workload's field that holds the replicas, under the subresource's name. Throws
 * Conflict and BadRequest.
 */
function appliedScale(
  d: ResourceDefinition,
  configuration: JsonObject,
  o: { manager: string; force: boolean },
): Parameters<typeof writeScale>[3]['make'] {
  const { apiVersion = '', kind = '', metadata, spec } = configuration;
  if (apiVersion !== 'autoscaling/v1' || kind !== 'Scale')
    throw badRequest(`invalid object type: ${[apiVersion, `Kind=${String(kind)}`].filter((t) => t !== '').join(', ')}`);
  const { replicas, ...unknown } = (typeof spec === 'object' && spec !== null ? spec : {}) as JsonObject;
  const [field] = Object.keys(unknown);
  if (field !== undefined) throw new StatusError('', `failed to create typed patch object: .spec.${field}: field not declared in schema`);
  if (replicas !== undefined && !Number.isInteger(replicas))
    throw new StatusError(
      '',
      `failed to create typed patch object: .spec.replicas: expected numeric (int or float), got ${typeof replicas}`,
    );
  return (old, w, live) => {
    const part: KubeObject = {
      apiVersion: d.group === '' ? d.version : `${d.group}/${d.version}`,
      kind: d.kind,
      metadata: { name: live.metadata?.name ?? '' },
    };
    if (typeof replicas === 'number') setAt(part, d.custom?.scale?.specReplicas ?? '.spec.replicas', replicas);
    const { tree, managedFields } = w.fields.apply(live, part as unknown as JsonObject, { ...o, now: w.now });
    const { name, namespace, resourceVersion, uid } = (metadata ?? {}) as NonNullable<Scale['metadata']>;
    const own = { ...old.metadata, ...(name && { name }), ...(namespace && { namespace }), ...(uid && { uid }) };
    delete own.resourceVersion;
    if (resourceVersion) own.resourceVersion = resourceVersion;
    const wanted = scaleOf(d, tree as unknown as Workload).spec?.replicas ?? 0;
    return { scale: { ...old, metadata: own, spec: { replicas: wanted } }, managedFields, applied: true };
  };
}

async function writeScale(
  d: ResourceDefinition,
  deps: SubresourceDeps,
  r: ApiRequest,
  o: {
    kind: 'UpdateOptions' | 'PatchOptions';
    apply?: boolean;
    uid?: string;
    make: (old: Scale, w: FieldOwner, live: DeepReadonly<KubeObject>) => Made;
  },
): Promise<ApiResponse> {
  const { kind, make } = o;
  const options = parseWriteOptions(r.query, kind, o.apply === true);
  const target = deps.target(d, '');
  const w = {
    ...writeContext(target, deps, r, {
      manager: managerOf(options, r.userAgent),
      dryRun: options.dryRun,
      options: admissionOptions('UpdateOptions', options),
    }),
    subresource: 'scale',
    fields: deps.fieldManager(d, 'scale'),
    admission: scaleAdmission(d, deps.admission),
  };
  try {
    const { entry } = await updateObject(w, {
      name: r.info.name,
      ...(o.uid ? { preconditions: { uid: o.uid } } : {}),
      produce: async (current) => {
        if (current === undefined) throw notFound(subject(d), r.info.name);
        const workload: Workload = current.draft();
        const old = scaleOf(d, current.object as DeepReadonly<Workload>);
        const { scale, managedFields, applied } = make(old, w, current.object);
        const meta = metadataOf(scale);
        ensureNamespace(meta, d, r.info.namespace);
        checkName(meta, r.info.name, r.info.namespace);
        const request = admissionRequest(w, 'UPDATE', { name: r.info.name, object: scale, old });
        await deps.admission.mutate(request, r);
        applyScale(d, workload, request.object as Scale);
        if (applied !== true) recordUpdate(w, current.object, workload);
        else if (managedFields !== undefined) metadataOf(workload).managedFields = managedFields;
        return workload;
      },
    });
    await prepareEntries(target.resource, [entry]);
    const workload: Workload = target.resource.codec.parse(target.resource.view.formOf(entry));
    metadataOf(workload).resourceVersion = String(entry.revision);
    return presentObject(scaleKind.schemaName, deps.schema, scaleOf(d, workload), { r, code: 200 });
  } catch (error) {
    throw toApiError(error, subjectOf(w), 'update');
  }
}

/** GET, PUT and PATCH of autoscaling/v1 Scale on Deployments, ReplicaSets, StatefulSets and ReplicationControllers. */
export const scale: RegistrySubresource = {
  subresource: 'scale',
  handles: (d) => d.subresources?.['scale'] !== undefined,
  create: (d, deps) => ({
    definition: d,
    subresource: 'scale',
    get: async (r) => {
      const { resource } = deps.target(d, '');
      const entry = await readEntry(resource.stored, keyOf(resource, r.info.namespace, r.info.name), r.query.get('resourceVersion') ?? '');
      if (entry === undefined) throw notFound({ group: d.group, resource: d.plural }, r.info.name);
      await prepareEntries(resource, [entry]);
      const workload: Workload = resource.codec.parse(resource.view.formOf(entry));
      metadataOf(workload).resourceVersion = String(entry.revision);
      return presentObject(scaleKind.schemaName, deps.schema, scaleOf(d, workload), { r, code: 200 });
    },
    update: async (r) => {
      const { fieldValidation } = parseWriteOptions(r.query, 'UpdateOptions');
      const body = decodeSubresourceBody<Scale>(scaleKind, deps.schema, r, fieldValidation);
      return await writeScale(d, deps, r, {
        kind: 'UpdateOptions',
        uid: body.metadata?.uid ?? '',
        make: () => ({ scale: structuredClone(body) }),
      });
    },
    patch: async (r) => {
      const type = (patchContentTypes as Readonly<Record<string, (typeof patchContentTypes)[keyof typeof patchContentTypes]>>)[
        r.contentType
      ];
      if (type === undefined) throw unsupportedMediaType(Object.keys(patchContentTypes));
      if (type === 'apply') {
        const { fieldManager, force = false } = parseWriteOptions(r.query, 'PatchOptions', true);
        const make = appliedScale(d, parseConfiguration(r.body).value as JsonObject, { manager: fieldManager, force });
        return await writeScale(d, deps, r, { kind: 'PatchOptions', apply: true, make });
      }
      const { fieldValidation } = parseWriteOptions(r.query, 'PatchOptions');
      const codec = createTypedCodec<Scale>(deps.schema, scaleKind.schemaName);
      const patch = preparePatch(type, r.body, codec);
      const make = (old: Scale): Made => {
        const patched = applyPatch(patch, () => structuredClone(old) as JsonObject, codec);
        if (patched.strictErrors.length > 0) {
          if (fieldValidation === 'Strict') throw patched.strictError();
          if (fieldValidation === 'Warn') warn(r, patched.strictErrors);
        }
        return { scale: patched.object };
      };
      return await writeScale(d, deps, r, { kind: 'PatchOptions', make });
    },
  }),
};
