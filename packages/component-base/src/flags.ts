/** Command-line flags as a table: parser, `--help` and docs come from it. Upstream's flag names are kept. */
export type FlagType = 'string' | 'boolean' | 'integer' | 'number' | 'duration' | 'list';
export interface FlagDefinition {
  readonly type: FlagType;
  readonly default?: string | boolean | number | readonly string[];
  readonly required?: boolean;
  readonly help: string;
}
export type FlagTable = Readonly<Record<string, FlagDefinition>>;

type FlagValue<D extends FlagDefinition> = D['type'] extends 'boolean'
  ? boolean
  : D['type'] extends 'integer' | 'number' | 'duration'
    ? number
    : D['type'] extends 'list'
      ? readonly string[]
      : string;
/** Flags with a default or `required` are always there; others may be undefined. Durations are milliseconds. */
export type Flags<T extends FlagTable> = {
  readonly [K in keyof T]: T[K] extends { required: true } | { default: string | boolean | number | readonly string[] }
    ? FlagValue<T[K]>
    : FlagValue<T[K]> | undefined;
};

export class FlagError extends Error {}

const durationUnitsMs: Readonly<Record<string, number>> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Go's duration syntax (`1h30m`, `500ms`) in milliseconds; undefined when it is none. */
export function parseDuration(text: string): number | undefined {
  if (text === '0') return 0;
  const match = /^([+-]?)((?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|ms|s|m|h))+$/.exec(text);
  if (match === null) return undefined;
  let ms = 0;
  for (const part of text.matchAll(/(\d+(?:\.\d*)?|\.\d+)(ns|us|µs|ms|s|m|h)/g)) {
    ms += Number(part[1]) * (durationUnitsMs[part[2] ?? ''] ?? 0);
  }
  return match[1] === '-' ? -ms : ms;
}

function parseValue(name: string, definition: FlagDefinition, text: string): string | boolean | number | readonly string[] {
  switch (definition.type) {
    case 'string':
      return text;
    case 'boolean':
      if (text === 'true' || text === 'false') return text === 'true';
      throw new FlagError(`--${name} takes true or false, not "${text}"`);
    case 'integer': {
      if (!/^-?\d+$/.test(text)) throw new FlagError(`--${name} takes a whole number, not "${text}"`);
      return Number(text);
    }
    case 'number': {
      if (!/^-?\d+(\.\d+)?$/.test(text)) throw new FlagError(`--${name} takes a number, not "${text}"`);
      return Number(text);
    }
    case 'duration': {
      const ms = parseDuration(text);
      if (ms === undefined) throw new FlagError(`--${name} takes a duration such as 10s or 1h30m, not "${text}"`);
      return ms;
    }
    case 'list':
      return text === '' ? [] : text.split(',').map((s) => s.trim());
  }
}

/** Parses `--name=value`, `--name value` and `--name` (booleans). A list flag may be repeated. Throws FlagError. */
export function parseFlags<const T extends FlagTable>(table: T, args: readonly string[]): Flags<T> {
  const out: Record<string, unknown> = {};
  for (const [name, d] of Object.entries(table)) {
    if (d.default !== undefined) out[name] = d.type === 'duration' && typeof d.default === 'string' ? parseDuration(d.default) : d.default;
  }
  const given = new Set<string>();
  for (let i = 0; i < args.length; i++) {
    const arg = args[i] ?? '';
    if (!arg.startsWith('--')) throw new FlagError(`unexpected argument "${arg}"`);
    const eq = arg.indexOf('=');
    const name = eq < 0 ? arg.slice(2) : arg.slice(2, eq);
    const definition = table[name];
    if (definition === undefined) throw new FlagError(`unknown flag --${name}`);
    let text: string;
    if (eq >= 0) text = arg.slice(eq + 1);
    else if (definition.type === 'boolean') text = 'true';
    else {
      const next = args[++i];
      if (next === undefined) throw new FlagError(`--${name} needs a value`);
      text = next;
    }
    const value = parseValue(name, definition, text);
    out[name] = Array.isArray(value) && given.has(name) ? [...(out[name] as string[]), ...value] : value;
    given.add(name);
  }
  for (const [name, d] of Object.entries(table)) if (d.required && out[name] === undefined) throw new FlagError(`--${name} is required`);
  return Object.freeze(out) as Flags<T>;
}

export function formatHelp(program: string, table: FlagTable): string {
  const lines = Object.entries(table).map(([name, d]) => {
    const value = d.default === undefined ? '' : ` (default ${Array.isArray(d.default) ? d.default.join(',') : String(d.default)})`;
    return `  --${name}${d.type === 'boolean' ? '' : ` <${d.type}>`}\n        ${d.help}${value}`;
  });
  return `usage: ${program} [flags]\n\n${lines.join('\n')}\n`;
}
