import { builtinSchemas } from '@skiff/api';
import {
  createTypedCodec,
  type DeepReadonly,
  formatGroupVersion,
  type JsonObject,
  type KubeObject,
  type MergeMap,
  mergeTypeOf,
  type ObjectCodec,
  parseJson,
  type ResourceDefinition,
} from '@skiff/apimachinery';
import type { AdmissionRequest, ConvertObjects } from '../contract.ts';

/** The structure of what a request carries in one version: of the resource's own kind or, for a subresource, of another. */
export interface ObjectForm {
  readonly kind: string;
  readonly apiVersion: string;
  readonly codec: ObjectCodec<KubeObject>;
  readonly mergeType: MergeMap;
  /** Fields that there are none of are errors; of custom kinds they are dropped. */
  readonly strict: boolean;
  defaults?(draft: KubeObject): void;
}

const forms = new WeakMap<ResourceDefinition, ObjectForm>();
const subresourceForms = new Map<string, ObjectForm | undefined>();

function formOfStruct(name: string, kind: string, apiVersion: string): ObjectForm {
  return {
    kind,
    apiVersion,
    codec: createTypedCodec<KubeObject>(builtinSchemas, name),
    mergeType: mergeTypeOf(builtinSchemas, name),
    strict: true,
  };
}

function formOfKind(d: ResourceDefinition): ObjectForm {
  let form = forms.get(d);
  if (form === undefined) {
    const apiVersion = formatGroupVersion(d.group, d.version);
    form =
      d.custom === undefined
        ? {
            ...formOfStruct(d.schemaName, d.kind, apiVersion),
            ...(d.defaults === undefined ? {} : { defaults: (draft) => d.defaults?.(draft) }),
          }
        : { kind: d.kind, apiVersion, codec: d.custom.codec, mergeType: d.custom.codec.mergeType, strict: false };
    forms.set(d, form);
  }
  return form;
}

/** Scale, Eviction, Binding, TokenRequest …: undefined for what has no struct of its own name. */
function formOfSubresource(group: string, version: string, kind: string): ObjectForm | undefined {
  const apiVersion = formatGroupVersion(group, version);
  const key = `${apiVersion}/${kind}`;
  if (!subresourceForms.has(key)) {
    const isIt = (name: string): boolean => {
      const gvk = builtinSchemas.struct(name)?.groupVersionKind;
      return gvk !== undefined && gvk.kind === kind && gvk.group === group && gvk.version === version;
    };
    const name = [...builtinSchemas.names()].find(isIt);
    subresourceForms.set(key, name === undefined ? undefined : formOfStruct(name, kind, apiVersion));
  }
  return subresourceForms.get(key);
}

const subresourceOf = (r: AdmissionRequest, d: ResourceDefinition): { group?: string; version?: string; kind: string } | undefined =>
  r.subresource === '' ? undefined : d.subresources?.[r.subresource];

/** Is what the request carries an object of the resource's own kind? */
const isOwnKind = (r: AdmissionRequest): boolean => (subresourceOf(r, r.definition)?.kind ?? r.definition.kind) === r.definition.kind;

/** The structure of what a request carries, as the version `as` has it. */
export function formOf(r: AdmissionRequest, as: ResourceDefinition): ObjectForm | undefined {
  const sub = subresourceOf(r, as);
  if (sub === undefined || isOwnKind(r)) return formOfKind(as);
  return formOfSubresource(sub.group ?? as.group, sub.version ?? as.version, sub.kind);
}

/** The request's object as another version of its kind shows it. What is of another kind than the resource's looks the same in all. */
export async function convertObject(
  r: AdmissionRequest,
  object: JsonObject,
  versions: { readonly from: ResourceDefinition; readonly to: ResourceDefinition; readonly convert: ConvertObjects },
): Promise<JsonObject> {
  const { from, to, convert } = versions;
  if (from === to || !isOwnKind(r)) return object;
  if (to.custom?.webhook !== undefined) return (await convert(to, [object]))[0] ?? object;
  const stored = from.conversion === undefined ? structuredClone(object) : from.conversion.toStorage(structuredClone(object));
  const converted = to.conversion === undefined ? stored : to.conversion.fromStorage(stored);
  return { ...converted, kind: to.kind, apiVersion: formatGroupVersion(to.group, to.version) };
}

/** An object in the words of Go's encoder: what expressions and patches see. */
export function canonicalObject(form: ObjectForm | undefined, object: DeepReadonly<JsonObject>): JsonObject {
  if (form === undefined) return structuredClone(object) as JsonObject;
  const text = form.codec.encodeResponse(object as unknown as DeepReadonly<KubeObject>);
  return parseJson(Buffer.from(text)).value as JsonObject;
}
