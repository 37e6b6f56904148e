import { builtinSchemas, type Namespace, namespace } from '@skiff/api';
import {
  createTypedCodec,
  type DeepReadonly,
  formatGroupVersion,
  type JsonObject,
  type KubeObject,
  notFound,
  type ObjectCodec,
  parseJson,
  type ResourceDefinition,
} from '@skiff/apimachinery';
import type { AdmissionRequest, ObjectAccess } from '../../contract.ts';

const codecs = new WeakMap<ResourceDefinition, ObjectCodec<KubeObject>>();
export function codecOf(d: ResourceDefinition): ObjectCodec<KubeObject> {
  let codec = codecs.get(d);
  if (codec === undefined) {
    codec = d.custom?.codec ?? createTypedCodec<KubeObject>(builtinSchemas, d.schemaName);
    codecs.set(d, codec);
  }
  return codec;
}

/** Is what the request is about an object of the resource's own kind? A Scale, an Eviction or an exec's options are not. */
export const isOwnKind = (r: AdmissionRequest): boolean =>
  r.object?.['kind'] === r.definition.kind || r.oldObject?.['kind'] === r.definition.kind;

/** The object as another version of the same kind shows it; consumed. */
export function convertObject(object: JsonObject, from: ResourceDefinition, to: ResourceDefinition): JsonObject {
  if (from === to) return object;
  const stored = from.conversion === undefined ? object : from.conversion.toStorage(object);
  const converted = to.conversion === undefined ? stored : to.conversion.fromStorage(stored);
  return { ...converted, kind: to.kind, apiVersion: formatGroupVersion(to.group, to.version) };
}

/** The object in the words of Go's encoder, in the version `as`: what expressions and patches see. */
export function canonicalObject(r: AdmissionRequest, object: DeepReadonly<JsonObject>, as: ResourceDefinition): JsonObject {
  if (!isOwnKind(r)) return structuredClone(object) as JsonObject;
  const converted = as === r.definition ? object : convertObject(structuredClone(object) as JsonObject, r.definition, as);
  const text = codecOf(as).encodeResponse(converted as unknown as DeepReadonly<KubeObject>);
  return parseJson(Buffer.from(text)).value as JsonObject;
}

/** What policies are told of a request's surroundings, made when first asked for. */
export class RequestView {
  readonly #r: AdmissionRequest;
  readonly #objects: ObjectAccess;
  readonly #new = new Map<ResourceDefinition, JsonObject | null>();
  readonly #old = new Map<ResourceDefinition, JsonObject | null>();
  /** What `#new` was made of. */
  #source: JsonObject | null = null;
  #namespace: JsonObject | null | undefined;

  constructor(r: AdmissionRequest, objects: ObjectAccess) {
    this.#r = r;
    this.#objects = objects;
  }

  /** Read-only. Made anew when the request has another object than before. */
  object(as: ResourceDefinition): JsonObject | null {
    const { object } = this.#r;
    if (object !== this.#source) this.#new.clear();
    this.#source = object;
    let shown = this.#new.get(as);
    if (shown === undefined) {
      shown = object === null ? null : canonicalObject(this.#r, object, as);
      this.#new.set(as, shown);
    }
    return shown;
  }

  oldObject(as: ResourceDefinition): JsonObject | null {
    let old = this.#old.get(as);
    if (old === undefined) {
      const { oldObject } = this.#r;
      old = oldObject === null ? null : canonicalObject(this.#r, oldObject, as);
      this.#old.set(as, old);
    }
    return old;
  }

  /** `namespaceObject`: null for what is in no namespace. Throws NotFound. */
  namespace(): JsonObject | null {
    this.#namespace ??= this.#findNamespace();
    return this.#namespace;
  }

  #findNamespace(): JsonObject | null {
    const { definition, namespace: name } = this.#r;
    if (name === '' || definition.scope !== 'Namespaced') return null;
    const found = this.#objects.get<Namespace>(namespace, '', name);
    if (found === undefined) throw notFound({ group: '', resource: 'namespaces' }, name);
    const { managedFields: _managed, ownerReferences: _owners, ...metadata } = found.metadata ?? {};
    return structuredClone({ metadata, spec: found.spec ?? {}, status: found.status ?? {} }) as unknown as JsonObject;
  }
}

const gvk = (d: ResourceDefinition, subresource: string): JsonObject => {
  const sub = subresource === '' ? undefined : d.subresources?.[subresource];
  return { group: sub?.group ?? d.group, version: sub?.version ?? d.version, kind: sub?.kind ?? d.kind };
};
const gvr = (d: ResourceDefinition): JsonObject => ({ group: d.group, version: d.version, resource: d.plural });

/** The `request` of expressions: an AdmissionRequest (admission.k8s.io/v1) without its objects. */
export function requestVariable(r: AdmissionRequest, as: ResourceDefinition): JsonObject {
  const { user, subresource } = r;
  const namespaceName = requestNamespace(r);
  return {
    kind: gvk(as, subresource),
    resource: gvr(as),
    ...(subresource === '' ? {} : { subResource: subresource }),
    requestKind: gvk(r.definition, subresource),
    requestResource: gvr(r.definition),
    ...(subresource === '' ? {} : { requestSubResource: subresource }),
    ...(r.name === '' ? {} : { name: r.name }),
    ...(namespaceName === '' ? {} : { namespace: namespaceName }),
    operation: r.operation,
    userInfo: {
      ...(user.name === '' ? {} : { username: user.name }),
      ...(user.uid === undefined || user.uid === '' ? {} : { uid: user.uid }),
      ...(user.groups.length === 0 ? {} : { groups: [...user.groups] }),
      ...(user.extra === undefined || Object.keys(user.extra).length === 0
        ? {}
        : { extra: structuredClone(user.extra) as unknown as JsonObject }),
    },
    dryRun: r.dryRun,
    options: r.operation === 'CONNECT' ? null : structuredClone(r.options),
  };
}

/** Requests about a Namespace count as in it. */
export const requestNamespace = (r: AdmissionRequest): string =>
  r.definition.group === '' && r.definition.plural === 'namespaces' ? r.name : r.namespace;
