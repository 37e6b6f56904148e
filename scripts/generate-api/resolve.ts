import { namedElsewhere, packages, scalars, skipped, metaKinds, type GoPackage } from './packages.ts';
import type { GoField, GoSource, GoStruct } from './parse-go.ts';

export type ResolvedType =
  | { kind: 'scalar'; scalar: string; goType?: string; enum?: readonly string[] }
  | { kind: 'struct'; name: string }
  | { kind: 'schemaOr'; or: string; name: string }
  | { kind: 'list'; items: ResolvedType; goType?: string }
  | { kind: 'map'; values: ResolvedType; goType?: string };

export interface ResolvedField {
  name: string;
  goName: string;
  type: ResolvedType;
  required: boolean;
  omit: 'never' | 'empty' | 'zero';
  pointer: boolean;
  default?: unknown;
  listType?: string;
  mapKeys?: string[];
  mapType?: string;
  structType?: string;
  patchStrategy?: string[];
  patchMergeKey?: string;
  number?: number;
  inline?: number[];
  inlineNames?: string[];
}

interface Inline {
  numbers: number[];
  names: string[];
}

export interface ResolvedStruct {
  name: string;
  goName: string;
  pkg: GoPackage;
  fields: ResolvedField[];
  structType?: string;
  gvk?: { group: string; version: string; kind: string };
}

const builtins: Readonly<Record<string, string>> = {
  string: 'string',
  bool: 'boolean',
  int: 'int64',
  int32: 'int32',
  int64: 'int64',
  float64: 'float64',
  'interface{}': 'json',
  any: 'json',
};
const marker = (f: { markers: readonly string[] }, name: string): string | undefined =>
  f.markers.find((m) => m.startsWith(`${name}=`))?.slice(name.length + 1);
const hasMarker = (f: { markers: readonly string[] }, ...names: string[]): boolean => f.markers.some((m) => names.includes(m));

/** Turns parsed Go into the schema's terms: embedded structs flattened, names resolved across packages. */
export function createResolver(sources: ReadonlyMap<string, GoSource>) {
  const byPath = new Map(packages.map((p) => [p.path, p]));

  function qualify(type: string, path: string): { path: string; name: string } {
    const dot = type.indexOf('.');
    if (dot < 0) return { path, name: type };
    const from = sources.get(path)?.imports.get(type.slice(0, dot));
    if (from === undefined) throw new Error(`${path}: unknown import in ${type}`);
    return { path: from, name: type.slice(dot + 1) };
  }

  const shortName = (path: string, name: string): string => `${path.split('/').pop()}.${name}`;

  /** Constants that are another package's are written with its name. */
  function constantValue(text: string, source: GoSource): string {
    const [name = '', constant = ''] = text.split('.');
    const path = source.imports.get(name);
    return (path === undefined ? undefined : sources.get(path)?.constantValues.get(constant)) ?? text;
  }

  function resolveType(type: string, path: string): ResolvedType {
    if (type.startsWith('*')) return resolveType(type.slice(1), path);
    if (type === '[]byte') return { kind: 'scalar', scalar: 'bytes' };
    if (type.startsWith('[]')) return { kind: 'list', items: resolveType(type.slice(2), path) };
    const map = /^map\[([\w.]+)\](.+)$/.exec(type);
    if (map) {
      const key = builtins[map[1]!] === undefined ? shortName(qualify(map[1]!, path).path, qualify(map[1]!, path).name) : undefined;
      return { kind: 'map', values: resolveType(map[2]!, path), ...(key === undefined ? {} : { goType: `[${key}]` }) };
    }
    const builtin = builtins[type];
    if (builtin !== undefined) return { kind: 'scalar', scalar: builtin, ...(type === 'int' ? { goType: 'int' } : {}) };
    const q = qualify(type, path);
    const full = `${q.path}.${q.name}`;
    const scalar = scalars[full];
    const schemaProps = 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps';
    if (scalar?.startsWith('schemaOr')) return { kind: 'schemaOr', or: scalar.slice('schemaOr'.length), name: schemaProps };
    if (scalar !== undefined) return { kind: 'scalar', scalar };
    const elsewhere = namedElsewhere[full];
    if (elsewhere !== undefined) return { kind: 'scalar', scalar: builtins[elsewhere]!, goType: shortName(q.path, q.name) };
    const source = sources.get(q.path);
    const found = source?.types.get(q.name);
    if (source === undefined || found === undefined) throw new Error(`${path}: unknown type ${type}`);
    if (found.kind === 'struct') return { kind: 'struct', name: `${byPath.get(q.path)!.model}.${q.name}` };
    const underlying = resolveType(found.type, q.path);
    if (found.kind === 'alias') return underlying;
    const goType = shortName(q.path, q.name);
    if (underlying.kind === 'scalar' && hasMarker(found, 'enum')) {
      return {
        ...underlying,
        goType,
        enum: [...new Set((source.constants.get(q.name) ?? []).map((c) => constantValue(c, source)))].sort(),
      };
    }
    // `type A b.B` over a struct is a struct of its own, with B's fields.
    if (underlying.kind === 'struct') return { kind: 'struct', name: `${byPath.get(q.path)!.model}.${q.name}` };
    return underlying.kind === 'schemaOr' ? underlying : { ...underlying, goType };
  }

  function parseDefault(text: string, path: string): unknown {
    const ref = /^ref\(([\w./]+)\)$/.exec(text);
    if (!ref) return JSON.parse(text);
    const name = ref[1]!.split('.').pop()!;
    const value = sources.get(path)?.constantValues.get(name);
    if (value === undefined) throw new Error(`unknown constant ${name}`);
    return value;
  }

  function resolveField(f: GoField, path: string, inline: Inline): ResolvedField {
    const [jsonName, ...options] = f.tags.get('json')!.split(',');
    const type = resolveType(f.type, path);
    const omit = options.includes('omitzero') ? 'zero' : options.includes('omitempty') ? 'empty' : 'never';
    const protobuf = f.tags.get('protobuf')?.split(',')[1];
    const keys = [...new Set(f.markers.filter((m) => m.startsWith('listMapKey=')).map((m) => m.slice('listMapKey='.length)))];
    const def = marker(f, 'default');
    const listType = marker(f, 'listType') ?? marker(f, 'k8s:listType');
    return {
      name: jsonName!,
      goName: f.goName,
      type,
      required: hasMarker(f, 'required', 'k8s:required') || (omit === 'never' && !hasMarker(f, 'optional', 'k8s:optional')),
      omit,
      pointer: f.type.startsWith('*'),
      ...(def === undefined ? {} : { default: parseDefault(def, path) }),
      ...(listType === undefined ? {} : { listType }),
      ...(keys.length === 0 ? {} : { mapKeys: keys }),
      ...(marker(f, 'mapType') === undefined ? {} : { mapType: marker(f, 'mapType')! }),
      ...(marker(f, 'structType') === undefined ? {} : { structType: marker(f, 'structType')! }),
      ...(f.tags.has('patchStrategy') ? { patchStrategy: f.tags.get('patchStrategy')!.split(',') } : {}),
      ...(f.tags.has('patchMergeKey') ? { patchMergeKey: f.tags.get('patchMergeKey')! } : {}),
      ...(protobuf === undefined ? {} : { number: Number(protobuf) }),
      ...(inline.numbers.length === 0 ? {} : { inline: inline.numbers }),
      ...(inline.names.length === 0 ? {} : { inlineNames: inline.names }),
    };
  }

  function copyOfStruct(name: string, path: string): { struct: GoStruct; path: string } | undefined {
    const found = sources.get(path)?.types.get(name);
    if (found?.kind !== 'named' || !/^[\w.]+$/.test(found.type) || builtins[found.type] !== undefined) return undefined;
    const q = qualify(found.type, path);
    const under = sources.get(q.path)?.types.get(q.name);
    return under?.kind === 'struct' ? { struct: { ...under, name }, path: q.path } : undefined;
  }

  function findStruct(q: { path: string; name: string }): { struct: GoStruct; path: string } | undefined {
    const found = sources.get(q.path)?.types.get(q.name);
    if (found?.kind === 'alias') return findStruct(qualify(found.type, q.path));
    return found?.kind === 'struct' ? { struct: found, path: q.path } : undefined;
  }

  function fieldsOf(struct: GoStruct, path: string, inline: Inline = { numbers: [], names: [] }): ResolvedField[] {
    const out: ResolvedField[] = [];
    for (const f of struct.fields) {
      const json = f.tags.get('json');
      if (json === '-' || (json === undefined && !f.embedded)) continue;
      const jsonName = json?.split(',')[0] ?? '';
      if (jsonName !== '') out.push(resolveField(f, path, inline));
      else {
        const q = qualify(f.type.replace(/^\*/, ''), path);
        const embedded = findStruct(q);
        if (embedded === undefined) throw new Error(`${path}.${struct.name}: cannot inline ${f.type}`);
        const number = f.tags.get('protobuf')?.split(',')[1];
        out.push(
          ...fieldsOf(embedded.struct, embedded.path, {
            numbers: number === undefined ? inline.numbers : [...inline.numbers, Number(number)],
            names: [...inline.names, f.goName],
          }),
        );
      }
    }
    return out;
  }

  function resolvePackage(pkg: GoPackage): ResolvedStruct[] {
    const out: ResolvedStruct[] = [];
    for (const named of sources.get(pkg.path)!.types.values()) {
      const copy = named.kind === 'named' ? copyOfStruct(named.name, pkg.path) : undefined;
      const t = copy?.struct ?? named;
      if (
        t.kind !== 'struct' ||
        skipped.has(t.name) ||
        !/^[A-Z]/.test(t.name) ||
        (t.fields.length === 0 && !/Source|Policy|Spec|Status|Patch|Config/.test(t.name))
      )
        continue;
      if (t.fields.length > 0 && !t.fields.some((f) => f.tags.has('json'))) continue;
      const isKind = t.fields.some((f) => f.embedded && /(^|\.)TypeMeta$/.test(f.type));
      const structType = marker(t, 'structType') ?? marker(t, 'mapType');
      out.push({
        name: `${pkg.model}.${t.name}`,
        goName: t.name,
        pkg,
        fields: fieldsOf(t, copy?.path ?? pkg.path),
        ...(structType === undefined ? {} : { structType }),
        ...(isKind && pkg.group !== undefined
          ? { gvk: { group: metaKinds[t.name] ?? pkg.group, version: pkg.version, kind: t.name } }
          : {}),
      });
    }
    return out;
  }

  return { resolvePackage };
}
