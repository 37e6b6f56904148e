import type { ResolvedField, ResolvedStruct, ResolvedType } from './resolve.ts';
import { packages } from './packages.ts';

/** Meta types that apimachinery declares by hand. */
const handWritten = new Set([
  'ObjectMeta',
  'ListMeta',
  'OwnerReference',
  'ManagedFieldsEntry',
  'LabelSelector',
  'LabelSelectorRequirement',
  'Status',
  'StatusDetails',
  'StatusCause',
]);
const notEmitted = new Set(['List', 'WatchEvent', 'InternalEvent']);

/** Required fields whose JSON is null all the same where there is nothing: validation lets them be empty. */
const requiredButNullable = new Set([
  'Event.eventTime',
  'CSINodeSpec.drivers',
  'ConversionRequest.objects',
  'ConversionResponse.convertedObjects',
]);

const capitalise = (s: string): string => s.charAt(0).toUpperCase() + s.slice(1);

/** TypeScript names: kinds first, then in the order of the packages; a name already given gets its group and version in front. */
export function nameTypes(structs: readonly ResolvedStruct[]): Map<string, string> {
  const names = new Map<string, string>();
  const taken = new Set<string>();
  const order = [...structs].sort((a, b) => packages.indexOf(a.pkg) - packages.indexOf(b.pkg));
  for (const kinds of [true, false]) {
    for (const s of order) {
      if ((s.gvk !== undefined) !== kinds) continue;
      const folder = s.pkg.types!.split('-')[0]!;
      const name = taken.has(s.goName) ? `${capitalise(folder)}${capitalise(s.pkg.version)}${s.goName}` : s.goName;
      taken.add(name);
      names.set(s.name, name);
    }
  }
  return names;
}

const scalarTypes: Readonly<Record<string, string>> = {
  string: 'string',
  boolean: 'boolean',
  int32: 'number',
  int64: 'number',
  float64: 'number',
  bytes: 'string',
  time: 'string',
  microTime: 'string',
  duration: 'string',
  quantity: 'Quantity',
  intOrString: 'IntOrString',
  raw: 'Json',
  json: 'Json',
  fieldsV1: 'JsonObject',
};

export function emitTypes(structs: readonly ResolvedStruct[]): Map<string, string> {
  const typed = structs.filter((s) => s.pkg.types !== undefined);
  const names = nameTypes(typed);
  const fileOf = new Map(typed.map((s) => [s.name, s.pkg.types!]));
  const files = new Map<string, string>();
  for (const file of new Set(typed.map((s) => s.pkg.types!))) {
    const imports = new Map<string, Set<string>>();
    const use = (from: string, name: string): string => {
      imports.set(from, (imports.get(from) ?? new Set()).add(name));
      return name;
    };
    const structRef = (name: string): string => {
      const ts = names.get(name);
      if (ts === undefined) throw new Error(`${file}: no type for ${name}`);
      const from = fileOf.get(name)!;
      const isMeta = from === 'meta-v1' && handWritten.has(ts);
      if (isMeta) return use('@skiff/apimachinery', ts);
      return from === file ? ts : use(`./${from}.ts`, ts);
    };
    const typeOf = (t: ResolvedType): string => {
      switch (t.kind) {
        case 'struct':
          return structRef(t.name);
        case 'schemaOr':
          return {
            Array: `${structRef(t.name)} | ${structRef(t.name)}[]`,
            Bool: `${structRef(t.name)} | boolean`,
            StringArray: `${structRef(t.name)} | string[]`,
          }[t.or]!;
        case 'list': {
          const items = typeOf(t.items);
          return items.includes('|') ? `(${items})[]` : `${items}[]`;
        }
        case 'map':
          return `Record<string, ${typeOf(t.values)}>`;
        case 'scalar': {
          const ts = scalarTypes[t.scalar]!;
          return /^[A-Z]/.test(ts) ? use('@skiff/apimachinery', ts) : ts;
        }
      }
    };
    const fieldOf = (s: ResolvedStruct, f: ResolvedField): string => {
      const isTypeMeta = f.name === 'kind' || f.name === 'apiVersion';
      const nillable =
        f.pointer ||
        f.type.kind === 'list' ||
        f.type.kind === 'map' ||
        (f.type.kind === 'scalar' && ['time', 'microTime', 'bytes', 'raw'].includes(f.type.scalar));
      const alwaysThere = f.omit === 'never' && nillable && (!f.required || requiredButNullable.has(`${s.goName}.${f.name}`));
      const zeroIsNull =
        f.omit === 'empty' && !f.pointer && f.type.kind === 'scalar' && ['time', 'microTime', 'raw'].includes(f.type.scalar);
      const nullable = alwaysThere || zeroIsNull;
      const optional = (isTypeMeta && s.gvk !== undefined) || !f.required;
      const key = /^[A-Za-z_$][\w$]*$/.test(f.name) ? f.name : JSON.stringify(f.name);
      return `  ${key}${optional ? '?' : ''}: ${typeOf(f.type)}${nullable ? ' | null' : ''};`;
    };
    const bodies = typed
      .filter((s) => s.pkg.types === file && !notEmitted.has(s.goName) && !(file === 'meta-v1' && handWritten.has(s.goName)))
      .map((s) => `export interface ${names.get(s.name)!} {\n${s.fields.map((f) => `${fieldOf(s, f)}\n`).join('')}}\n`);
    const head = [...imports]
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([from, set]) => `import type { ${[...set].sort().join(', ')} } from '${from}';\n`);
    files.set(file, `// Generated by scripts/generate-api. Do not edit.\n${head.join('')}\n${bodies.join('\n')}`);
  }
  return files;
}
