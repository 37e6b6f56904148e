import { type Namespace, namespace } from '@skiff/api';
import { type DeepReadonly, type JsonObject, notFound, type ResourceDefinition } from '@skiff/apimachinery';
import type { AdmissionRequest } from '../../contract.ts';
import { canonicalObject, convertObject, formOf } from '../object-form.ts';
import type { PolicyDeps } from './policy-deps.ts';

interface Shown {
  /** What `object` was made of. */
  readonly source: JsonObject | null;
  readonly object: JsonObject | null;
  readonly oldObject: JsonObject | null;
}

/** What policies are told of a request and its surroundings. */
export class RequestView {
  readonly #r: AdmissionRequest;
  readonly #deps: PolicyDeps;
  readonly #shown = new Map<ResourceDefinition, Shown>();
  #namespace: JsonObject | null | undefined;
  /** Where the cache did not have it. */
  #read: DeepReadonly<Namespace> | undefined;

  constructor(r: AdmissionRequest, deps: PolicyDeps) {
    this.#r = r;
    this.#deps = deps;
  }

  /** Makes ready what `object` and `oldObject` give for a version; again when the request has another object than before. */
  async load(as: ResourceDefinition): Promise<void> {
    await this.#readNamespace();
    const { object, oldObject } = this.#r;
    const known = this.#shown.get(as);
    if (known !== undefined && known.source === object) return;
    const show = async (o: JsonObject | null): Promise<JsonObject | null> =>
      o === null
        ? null
        : canonicalObject(
            formOf(this.#r, as),
            await convertObject(this.#r, o, { from: this.#r.definition, to: as, convert: this.#deps.convert }),
          );
    this.#shown.set(as, {
      source: object,
      object: await show(object),
      oldObject: known === undefined ? await show(oldObject as JsonObject | null) : known.oldObject,
    });
  }

  /** Read-only, canonical. */
  object(as: ResourceDefinition): JsonObject | null {
    return this.#shown.get(as)?.object ?? null;
  }

  oldObject(as: ResourceDefinition): JsonObject | null {
    return this.#shown.get(as)?.oldObject ?? null;
  }

  /** `namespaceObject`: null for what is in no namespace. Throws NotFound. */
  namespace(): JsonObject | null {
    this.#namespace ??= this.#findNamespace();
    return this.#namespace;
  }

  /** The cache may not have seen yet that the namespace was made. */
  async #readNamespace(): Promise<void> {
    const { definition, namespace: name } = this.#r;
    if (name === '' || definition.scope !== 'Namespaced' || this.#read !== undefined) return;
    const { objects } = this.#deps;
    if (objects.get<Namespace>(namespace, '', name) === undefined) this.#read = await objects.read<Namespace>(namespace, '', name);
  }

  #findNamespace(): JsonObject | null {
    const { definition, namespace: name } = this.#r;
    if (name === '' || definition.scope !== 'Namespaced') return null;
    const found = this.#read ?? this.#deps.objects.get<Namespace>(namespace, '', name);
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
