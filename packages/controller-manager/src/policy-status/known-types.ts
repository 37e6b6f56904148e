import { builtinResources, builtinSchemas } from '@skiff/api';
import { formatGroupVersion } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import type { CelType, OpenApiSchema, OpenApiSchemas, openApiType, structType } from '@skiff/cel';

interface GroupVersionKind {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}
type DescribedSchema = OpenApiSchema & { readonly 'x-kubernetes-group-version-kind'?: readonly GroupVersionKind[] };

/** What of the expression language is needed here; it is loaded when there is a policy. */
export interface TypeMakers {
  readonly openApiType: typeof openApiType;
  readonly structType: typeof structType;
}

/** Kinds of resources, and types of kinds: built-in ones by heart, all others from what the server says. Good for one policy. */
export class KnownTypes {
  readonly #client: Pick<Client, 'request'>;
  readonly #make: TypeMakers;
  readonly #signal: AbortSignal;
  readonly #documents = new Map<string, Promise<unknown>>();

  constructor(client: Pick<Client, 'request'>, make: TypeMakers, signal: AbortSignal) {
    this.#client = client;
    this.#make = make;
    this.#signal = signal;
  }

  /** The kinds that a resource may have; as upstream, no group means any. */
  async kindsOf(group: string, version: string, plural: string): Promise<readonly GroupVersionKind[]> {
    const known = builtinResources.filter((d) => d.version === version && d.plural === plural && (group === '' || d.group === group));
    if (known.length > 0 || group === '') return known.map((d) => ({ group: d.group, version, kind: d.kind }));
    const list = (await this.#document(`/apis/${group}/${version}`)) as
      | { resources?: readonly { name: string; kind: string }[] }
      | undefined;
    const found = list?.resources?.find((r) => r.name === plural);
    return found === undefined ? [] : [{ group, version, kind: found.kind }];
  }

  /** Undefined: there is no such kind, or nothing is known of it. */
  async typeOf({ group, version, kind }: GroupVersionKind): Promise<CelType | undefined> {
    // No expression shall rely on the name: it is another one each time.
    const name = `${kind}${Math.floor(Math.random() * 1e9)}`;
    const known = builtinResources.find((d) => d.group === group && d.version === version && d.kind === kind);
    if (known !== undefined) return this.#make.structType(builtinSchemas, known.schemaName, name);
    const path = group === '' ? `api/${version}` : `apis/${formatGroupVersion(group, version)}`;
    const document = (await this.#document(`/openapi/v3/${path}`)) as { components?: { schemas?: OpenApiSchemas } } | undefined;
    const schemas = document?.components?.schemas ?? {};
    const isKind = (s: DescribedSchema): boolean =>
      s['x-kubernetes-group-version-kind']?.some((k) => k.group === group && k.version === version && k.kind === kind) === true;
    const schema = Object.values(schemas).find(isKind);
    return schema === undefined ? undefined : this.#make.openApiType(schema, schemas, name);
  }

  /** Undefined: there is none. */
  #document(path: string): Promise<unknown> {
    let document = this.#documents.get(path);
    if (document === undefined) {
      document = this.#client.request({ method: 'GET', path, signal: this.#signal }).then(({ code, body }) => {
        if (code === 404) return undefined;
        if (code >= 400) throw new Error(`GET ${path}: the server answered with code ${code}`);
        return JSON.parse(body.toString('utf8')) as unknown;
      });
      this.#documents.set(path, document);
    }
    return document;
  }
}
