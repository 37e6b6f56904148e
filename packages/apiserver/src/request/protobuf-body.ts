import {
  createProtobufEncoder,
  decodeProtobufMessage,
  type Json,
  type JsonObject,
  type ProtobufEncoder,
  protobufEnvelope,
  ProtobufError,
  readProtobufEnvelope,
  type SchemaRegistry,
} from '@skiff/apimachinery';
import { builtinSchemas } from '@skiff/api';

export const protobufMediaType = 'application/vnd.kubernetes.protobuf';

/** Turns protobuf bodies of built-in kinds into the objects that JSON bodies would have been, and such objects into bodies. */
export class ProtobufBodies {
  readonly #registry: SchemaRegistry;
  readonly encoder: ProtobufEncoder;
  #schemaOfKind: Map<string, string> | undefined;

  constructor(registry: SchemaRegistry) {
    this.#registry = registry;
    this.encoder = createProtobufEncoder(registry);
  }

  /** A body with its `k8s\0` envelope → the object with kind and apiVersion. Throws ProtobufError. */
  decodeObject(body: Buffer): JsonObject {
    const { apiVersion, kind, raw } = readProtobufEnvelope(body);
    return { kind, apiVersion, ...decodeProtobufMessage(this.#registry, this.#schemaName(apiVersion, kind), raw) };
  }

  /** The body of an object of any built-in kind. Throws ProtobufError where the kind is none. */
  encodeObject(object: JsonObject): Buffer {
    const { apiVersion, kind } = object;
    if (typeof apiVersion !== 'string' || typeof kind !== 'string') throw new ProtobufError('an object without kind and apiVersion');
    return protobufEnvelope(apiVersion, kind, this.encoder.message(this.#schemaName(apiVersion, kind), object));
  }

  #schemaName(apiVersion: string, kind: string): string {
    if (this.#schemaOfKind === undefined) {
      this.#schemaOfKind = new Map();
      for (const name of this.#registry.names()) {
        const gvk = this.#registry.struct(name)?.groupVersionKind;
        if (gvk !== undefined) this.#schemaOfKind.set(`${gvk.group === '' ? '' : `${gvk.group}/`}${gvk.version} ${gvk.kind}`, name);
      }
    }
    // Options belong to meta/v1, whatever group they are sent to.
    const found =
      this.#schemaOfKind.get(`${apiVersion} ${kind}`) ??
      (kind.endsWith('Options') ? `io.k8s.apimachinery.pkg.apis.meta.v1.${kind}` : undefined);
    if (found === undefined || this.#registry.struct(found) === undefined) {
      throw new ProtobufError(`no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(apiVersion)}`);
    }
    return found;
  }
}

export const protobufBodies = new ProtobufBodies(builtinSchemas);

/** JSON text that keeps integers beyond 2^53 exact. */
export function stringifyExactly(value: Json | undefined): string {
  if (typeof value === 'bigint') return value.toString();
  if (Array.isArray(value)) return `[${value.map(stringifyExactly).join(',')}]`;
  if (typeof value === 'object' && value !== null) {
    const members = Object.entries(value).flatMap(([k, v]) => (v === undefined ? [] : [`${JSON.stringify(k)}:${stringifyExactly(v)}`]));
    return `{${members.join(',')}}`;
  }
  return JSON.stringify(value);
}
