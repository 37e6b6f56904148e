import { readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { type Json, type JsonObject, parseYaml } from '@skiff/apimachinery';
import { FlagError, parseDuration } from '@skiff/component-base';
import { type Field, fields, type FlagName } from './fields.ts';

const group = 'kubelet.config.k8s.io/v1beta1';
const kind = 'KubeletConfiguration';
const isJsonObject = (v: unknown): v is JsonObject => typeof v === 'object' && v !== null && !Array.isArray(v);

/** Dropped in over the main file: maps merge, everything else is replaced. */
function merge(base: Json, over: Json): Json {
  if (!isJsonObject(base) || !isJsonObject(over)) return over;
  const out: JsonObject = { ...base };
  for (const [key, value] of Object.entries(over)) {
    const present = out[key];
    if (value !== undefined) out[key] = present === undefined ? value : merge(present, value);
  }
  return out;
}

function readOne(file: string): JsonObject {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (cause) {
    throw new FlagError(`failed to load kubelet config file, path: ${file}: ${(cause as Error).message}`, { cause });
  }
  const fail = (why: string, cause?: unknown): FlagError =>
    new FlagError(`failed to load kubelet config file, path: ${file}: ${why}`, { cause });
  let value: Json;
  try {
    const parsed = parseYaml(text);
    if (parsed.yamlError !== undefined) throw new Error(parsed.yamlError);
    value = parsed.value as Json;
  } catch (cause) {
    throw fail((cause as Error).message, cause);
  }
  if (!isJsonObject(value)) throw fail('it holds no object');
  if (value['kind'] !== kind || value['apiVersion'] !== group) throw fail(`it is not a ${kind} of ${group}`);
  return value;
}

/** The configuration of a file, and of the `*.conf` files of a directory over it. Throws FlagError. */
export function readConfiguration(file: string | undefined, directory: string | undefined): JsonObject {
  let merged: JsonObject = file === undefined ? {} : readOne(file);
  if (directory === undefined) return merged;
  for (const name of readdirSync(directory).sort()) {
    if (name.endsWith('.conf')) merged = merge(merged, readOne(path.join(directory, name))) as JsonObject;
  }
  return merged;
}

const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
/** Zero values are what a field is when it is not there. */
const isEmpty = (v: Json): boolean =>
  v === null ||
  v === '' ||
  v === 0 ||
  v === false ||
  (Array.isArray(v) && v.length === 0) ||
  (isJsonObject(v) && Object.keys(v).length === 0);

function typeError(name: string, wanted: string): FlagError {
  return new FlagError(`${kind}: ${name}: must be ${wanted}`);
}

/** The flag's text for a field's value. */
function flagText(name: string, field: Extract<Field, { flag: FlagName }>, value: Json): string {
  switch (field.as) {
    case 'string':
      if (typeof value !== 'string') throw typeError(name, 'a string');
      return value;
    case 'integer':
      if (typeof value !== 'number' || !Number.isInteger(value)) throw typeError(name, 'a whole number');
      return String(value);
    case 'boolean':
      if (typeof value !== 'boolean') throw typeError(name, 'true or false');
      return String(value);
    case 'duration':
      if (typeof value !== 'string' || parseDuration(value) === undefined) throw typeError(name, 'a duration such as 1m30s');
      return value;
    case 'strings':
      if (!Array.isArray(value) || value.some((v) => typeof v !== 'string')) throw typeError(name, 'a list of strings');
      return value.join(',');
    case 'map':
      if (!isJsonObject(value) || Object.values(value).some((v) => typeof v !== 'string')) throw typeError(name, 'a map of strings');
      return Object.entries(value)
        .map(([key, v]) => `${key}${field.separator}${String(v)}`)
        .join(',');
    case 'headers':
      if (!isJsonObject(value) || !Object.values(value).every((v) => Array.isArray(v) && v.every((t) => typeof t === 'string')))
        throw typeError(name, 'a map of lists of strings');
      return Object.entries(value)
        .flatMap(([key, list]) => (list as string[]).map((v) => `${key}:${v}`))
        .join(',');
    case 'graces':
      if (!Array.isArray(value) || !value.every(isJsonObject)) throw typeError(name, 'a list of priorities with their seconds');
      return value.map((g) => `${Number(g['priority'] ?? 0)}=${Number(g['shutdownGracePeriodSeconds'] ?? 0)}`).join(',');
    case 'taints':
      if (!Array.isArray(value) || !value.every(isJsonObject)) throw typeError(name, 'a list of taints');
      return value.map((t) => `${String(t['key'])}${t['value'] ? `=${String(t['value'])}` : ''}:${String(t['effect'])}`).join(',');
  }
}

/**
 * A configuration as command-line arguments, in which flags given on the command line are left out: they win. Throws FlagError for unknown
 * fields and for values that can't be had. `ignored`: fields that were set and have no meaning here.
 */
export function configurationFlags(
  configuration: JsonObject,
  given: readonly string[],
): { readonly args: readonly string[]; readonly ignored: readonly string[] } {
  const onCommandLine = new Set(given.filter((a) => a.startsWith('--')).map((a) => a.slice(2).split('=')[0]));
  const args: string[] = [];
  const ignored: string[] = [];
  const visit = (value: Json, name: string): void => {
    const field = Object.hasOwn(fields, name) ? fields[name] : undefined;
    if (field === undefined) {
      const group = Object.keys(fields).some((f) => f.startsWith(`${name}.`));
      if (!group) throw new FlagError(`${kind}: strict decoding error: unknown field ${JSON.stringify(name)}`);
      if (value === null) return;
      if (!isJsonObject(value)) throw typeError(name, 'an object');
      for (const [key, v] of Object.entries(value)) visit(v as Json, `${name}.${key}`);
      return;
    }
    if ('fixed' in field) {
      if (!isEmpty(value) && !same(value, field.fixed))
        throw new FlagError(`${kind}: ${name}: only ${JSON.stringify(field.fixed)} is supported, not ${JSON.stringify(value)}`);
    } else if ('idle' in field) {
      const matches = Array.isArray(value) === Array.isArray(field.idle) && typeof value === typeof field.idle;
      if (value !== null && !matches) throw typeError(name, `of the type of ${JSON.stringify(field.idle)}`);
      if (!same(value, field.idle) && !isEmpty(value)) ignored.push(name);
    } else if (value !== null && !onCommandLine.has(field.flag)) args.push(`--${field.flag}=${flagText(name, field, value)}`);
  };
  for (const [key, value] of Object.entries(configuration)) if (key !== 'kind' && key !== 'apiVersion') visit(value as Json, key);
  return { args, ignored };
}

/** As Go prints durations: `5m0s`, `100ms`. */
function formatDuration(ms: number): string {
  if (ms !== 0 && Math.abs(ms) < 1000) return `${ms}ms`;
  const seconds = ms / 1000;
  const [h, m, s] = [Math.floor(seconds / 3600), Math.floor((seconds % 3600) / 60), seconds % 60];
  return `${h > 0 ? `${h}h` : ''}${h > 0 || m > 0 ? `${m}m` : ''}${s}s`;
}

/** What stands where secrets are not shown. */
export const masked = '<masked>';

function fieldValue(field: Field, flags: Readonly<Record<string, unknown>>): Json | undefined {
  if ('fixed' in field) return field.fixed as Json;
  if ('idle' in field) return field.idle as Json;
  const value = flags[field.flag];
  if (value === undefined) return undefined;
  if (field.as === 'duration') return formatDuration(Number(value));
  if (field.as === 'string' && Array.isArray(value)) return String(value[0] ?? '');
  if (field.as === 'map' && Array.isArray(value)) {
    return Object.fromEntries(
      value.map((entry: string) => {
        const at = entry.indexOf(field.separator);
        return [entry.slice(0, at), entry.slice(at + 1)];
      }),
    );
  }
  // They may be secrets.
  if (field.as === 'headers' && Array.isArray(value))
    return Object.fromEntries(value.map((h: string) => [h.slice(0, h.indexOf(':')), [masked]]));
  if (field.as === 'graces' && Array.isArray(value)) {
    return value.map((g: string) => {
      const [priority, seconds] = g.split('=').map(Number);
      return { priority: priority ?? 0, shutdownGracePeriodSeconds: seconds ?? 0 };
    });
  }
  if (field.as === 'taints' && Array.isArray(value)) {
    return value.map((t: string) => {
      const [, key = '', text, effect = ''] = /^([^=:]+)(?:=([^:]*))?:(.+)$/.exec(t) ?? [];
      return { key, ...(text === undefined ? {} : { value: text }), effect };
    });
  }
  return value as Json;
}

/** What the kubelet runs with, in the fields of KubeletConfiguration: /configz. Set fields without a meaning here appear as they were set. */
export function renderConfiguration(flags: Readonly<Record<string, unknown>>, file: JsonObject): JsonObject {
  const out: Record<string, Json> = { kind, apiVersion: group };
  for (const [name, field] of Object.entries(fields)) {
    const parts = name.split('.');
    const last = parts.pop() ?? name;
    const inFile = parts.reduce<Json | undefined>((v, p) => (isJsonObject(v) ? v[p] : undefined), file);
    const set = 'idle' in field && isJsonObject(inFile) ? inFile[last] : undefined;
    const value = set ?? fieldValue(field, flags);
    if (value === undefined || (isEmpty(value) && !(typeof value === 'boolean' || typeof value === 'number'))) continue;
    let target = out;
    for (const p of parts) target = (target[p] ??= {}) as Record<string, Json>;
    target[last] = value;
  }
  return out;
}
