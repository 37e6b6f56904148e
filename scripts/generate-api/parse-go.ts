import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

/** A field as it stands in the Go source; `type` is Go's own spelling. */
export interface GoField {
  readonly goName: string;
  readonly type: string;
  readonly tags: ReadonlyMap<string, string>;
  readonly markers: readonly string[];
  readonly embedded: boolean;
}

export interface GoStruct {
  readonly kind: 'struct';
  readonly name: string;
  readonly fields: readonly GoField[];
  readonly markers: readonly string[];
}

export type GoType =
  | GoStruct
  | { readonly kind: 'named' | 'alias'; readonly name: string; readonly type: string; readonly markers: readonly string[] };

export interface GoSource {
  /** Import name → path. */
  readonly imports: ReadonlyMap<string, string>;
  readonly types: ReadonlyMap<string, GoType>;
  /** Type name → string constants of that type; `pkg.Name` stands for another package's constant. */
  readonly constants: ReadonlyMap<string, readonly string[]>;
  /** Constant name → value. */
  readonly constantValues: ReadonlyMap<string, string>;
}

const markersOf = (comments: readonly string[]): string[] => comments.filter((c) => c.startsWith('+')).map((c) => c.slice(1).trim());

function parseTags(text: string): Map<string, string> {
  const tags = new Map<string, string>();
  for (const m of text.matchAll(/(\w+):"([^"]*)"/g)) tags.set(m[1]!, m[2]!);
  return tags;
}

function parseField(line: string, comments: readonly string[]): GoField | undefined {
  const m = /^(?:([A-Za-z_]\w*)\s+)?([*[\]\w.{}]+)\s*(?:`([^`]*)`)?\s*(?:\/\/.*)?$/.exec(line);
  if (!m) return undefined;
  const type = m[2]!;
  const embedded = m[1] === undefined;
  const goName = m[1] ?? type.replace(/^\*/, '').split('.').pop()!;
  if (!/^[A-Z]/.test(goName)) return undefined;
  return { goName, type, tags: parseTags(m[3] ?? ''), markers: markersOf(comments), embedded };
}

function parseImports(text: string): Map<string, string> {
  const imports = new Map<string, string>();
  for (const m of text.matchAll(/^(?:import )?\s*(\w+)?\s*"((?:k8s\.io|sigs\.k8s\.io)\/[^"]+)"/gm)) {
    const path = m[2]!;
    imports.set(m[1] ?? path.split('/').pop()!, path);
  }
  return imports;
}

/** Reads the facts of a Go package's types files: structs with tags and markers, named types, string constants. */
export function parseGoPackage(folder: string): GoSource {
  const files = readdirSync(folder).filter((f) => f.endsWith('.go') && !/_test\.go$|^zz_|^generated|_swagger_doc_/.test(f));
  const imports = new Map<string, string>();
  const types = new Map<string, GoType>();
  const constants = new Map<string, string[]>();
  const constantValues = new Map<string, string>();
  for (const file of files) {
    const text = readFileSync(join(folder, file), 'utf8');
    for (const [name, path] of parseImports(text)) imports.set(name, path);
    parseConstants(text, constants, constantValues);
    parseTypes(text, types);
  }
  return { imports, types, constants, constantValues };
}

function parseConstants(text: string, byType: Map<string, string[]>, values: Map<string, string>): void {
  for (const block of text.matchAll(/^const (?:\(([\s\S]*?)^\)|(.*)$)/gm)) {
    for (const m of (block[1] ?? block[2] ?? '').matchAll(/^\s*(\w+)(?:\s+([A-Za-z]\w*))?\s*=\s*(?:([A-Za-z]\w*)\()?"([^"]*)"\)?/gm)) {
      const type = m[2] ?? m[3];
      values.set(m[1]!, m[4]!);
      if (type === undefined) continue;
      const list = byType.get(type) ?? [];
      list.push(m[4]!);
      byType.set(type, list);
    }
    for (const m of (block[1] ?? block[2] ?? '').matchAll(/^\s*\w+(?:\s+[A-Za-z]\w*)?\s*=\s*([A-Za-z]\w*)\((\w+\.\w+)\)/gm))
      byType.set(m[1]!, [...(byType.get(m[1]!) ?? []), m[2]!]);
  }
}

function parseTypes(text: string, types: Map<string, GoType>): void {
  const lines = text.split('\n');
  let comments: string[] = [];
  let blanks = 0;
  for (let i = 0; i < lines.length; i++) {
    const line = lines[i]!.trim();
    if (line.startsWith('//')) {
      comments.push(line.slice(2).trim());
      blanks = 0;
      continue;
    }
    // Markers may stand in a block of their own, one blank line above the declaration's comment.
    if (line === '' && ++blanks < 2) continue;
    const struct = /^type (\w+) struct\s*\{(\})?/.exec(line);
    const other = /^type (\w+) (=)?\s*([*[\]\w.]+)\s*(?:\/\/.*)?$/.exec(line);
    if (struct) {
      const fields: GoField[] = [];
      const markers = markersOf(comments);
      if (!struct[2]) i = parseStructBody(lines, i + 1, fields);
      types.set(struct[1]!, { kind: 'struct', name: struct[1]!, fields, markers });
    } else if (other) {
      types.set(other[1]!, { kind: other[2] ? 'alias' : 'named', name: other[1]!, type: other[3]!, markers: markersOf(comments) });
    }
    comments = [];
    blanks = 0;
  }
}

function parseStructBody(lines: readonly string[], start: number, fields: GoField[]): number {
  let comments: string[] = [];
  for (let i = start; i < lines.length; i++) {
    const line = lines[i]!.trim();
    if (line === '}') return i;
    if (line.startsWith('//')) comments.push(line.slice(2).trim());
    else if (line !== '') {
      const field = parseField(line, comments);
      if (field) fields.push(field);
      comments = [];
    }
  }
  return lines.length;
}
