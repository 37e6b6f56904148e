import { readFileSync } from 'node:fs';
import { parse } from 'yaml';
import type { RequestInfo, UserInfo } from '../contract.ts';

/** How much of a request is recorded, from nothing to everything. */
export const auditLevels = ['None', 'Metadata', 'Request', 'RequestResponse'] as const;
export type AuditLevel = (typeof auditLevels)[number];
export const auditStages = ['RequestReceived', 'ResponseStarted', 'ResponseComplete', 'Panic'] as const;
export type AuditStage = (typeof auditStages)[number];

export const reaches = (level: AuditLevel, wanted: AuditLevel): boolean => auditLevels.indexOf(level) >= auditLevels.indexOf(wanted);

/** What the policy says about one request. */
export interface AuditRuling {
  readonly level: AuditLevel;
  readonly omitStages: ReadonlySet<AuditStage>;
  readonly omitManagedFields: boolean;
}

interface GroupResources {
  readonly group: string;
  readonly resources: readonly string[];
  readonly resourceNames: readonly string[];
}
interface PolicyRule extends AuditRuling {
  readonly users: readonly string[];
  readonly userGroups: readonly string[];
  readonly verbs: readonly string[];
  readonly resources: readonly GroupResources[];
  readonly namespaces: readonly string[];
  readonly nonResourceUrls: readonly string[];
}

/** The first rule that fits decides; without one nothing is recorded. */
export type AuditPolicy = (info: RequestInfo, user: UserInfo | undefined) => AuditRuling;

export class AuditPolicyError extends Error {}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (v: unknown): v is Fields => typeof v === 'object' && v !== null && !Array.isArray(v);

function strings(fields: Fields, name: string, path: string, problems: string[]): readonly string[] {
  const value = fields[name];
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((v) => typeof v === 'string')) return value;
  problems.push(`${path}.${name}: must be a list of strings`);
  return [];
}

function bool(fields: Fields, name: string, path: string, problems: string[]): boolean | undefined {
  const value = fields[name];
  if (value === undefined || value === null || typeof value === 'boolean') return value ?? undefined;
  problems.push(`${path}.${name}: must be true or false`);
  return undefined;
}

function checkKnown(fields: Fields, known: readonly string[], path: string, problems: string[]): void {
  for (const name of Object.keys(fields))
    if (!known.includes(name)) problems.push(`${path === '' ? '' : `${path}.`}${name}: unknown field`);
}

function stages(fields: Fields, path: string, problems: string[]): readonly AuditStage[] {
  const given = strings(fields, 'omitStages', path, problems);
  given.forEach((stage, i) => {
    if (!auditStages.includes(stage as AuditStage))
      problems.push(
        `${path === '' ? '' : `${path}.`}omitStages[${i}]: Invalid value: ${JSON.stringify(stage)}: allowed stages are ${auditStages.join(',')}`,
      );
  });
  return given as readonly AuditStage[];
}

function urls(fields: Fields, path: string, problems: string[]): readonly string[] {
  const given = strings(fields, 'nonResourceURLs', path, problems);
  given.forEach((url, i) => {
    if (url === '*') return;
    const at = `${path}.nonResourceURLs[${i}]: Invalid value: ${JSON.stringify(url)}`;
    if (!url.startsWith('/')) problems.push(`${at}: non-resource URL rules must begin with a '/' character`);
    if (url.slice(0, -1).includes('*')) problems.push(`${at}: non-resource URL wildcards '*' must be the final character of the rule`);
  });
  return given;
}

function groupResources(value: unknown, path: string, problems: string[]): readonly GroupResources[] {
  if (value === undefined || value === null) return [];
  if (!Array.isArray(value)) {
    problems.push(`${path}: must be a list`);
    return [];
  }
  return value.map((entry: unknown, i) => {
    const at = `${path}[${i}]`;
    const fields = isFields(entry) ? entry : {};
    if (!isFields(entry)) problems.push(`${at}: must be a mapping`);
    checkKnown(fields, ['group', 'resources', 'resourceNames'], at, problems);
    const group = fields['group'] ?? '';
    if (typeof group !== 'string' || (group !== '' && group !== '*' && !/^[a-z0-9]([-a-z0-9.]*[a-z0-9])?$/.test(group)))
      problems.push(`${path}.group: Invalid value: ${JSON.stringify(group)}: must be a lower-case DNS subdomain without a version`);
    const resources = strings(fields, 'resources', at, problems);
    const resourceNames = strings(fields, 'resourceNames', at, problems);
    if (resourceNames.length > 0 && resources.length === 0)
      problems.push(`${path}.resourceNames: Invalid value: using resourceNames requires at least one resource`);
    return { group: typeof group === 'string' ? group : '', resources, resourceNames };
  });
}

const ruleFields = [
  'level',
  'users',
  'userGroups',
  'verbs',
  'resources',
  'namespaces',
  'nonResourceURLs',
  'omitStages',
  'omitManagedFields',
];

function rule(value: unknown, path: string, base: Omit<AuditRuling, 'level'>, problems: string[]): PolicyRule {
  const fields = isFields(value) ? value : {};
  if (!isFields(value)) problems.push(`${path}: must be a mapping`);
  checkKnown(fields, ruleFields, path, problems);
  const level = fields['level'] ?? '';
  if (level === '') problems.push(`${path}.level: Required value`);
  else if (!auditLevels.includes(level as AuditLevel)) {
    const supported = auditLevels.map((l) => JSON.stringify(l)).join(', ');
    problems.push(`${path}.level: Unsupported value: ${JSON.stringify(level)}: supported values: ${supported}`);
  }
  const out: PolicyRule = {
    level: level as AuditLevel,
    users: strings(fields, 'users', path, problems),
    userGroups: strings(fields, 'userGroups', path, problems),
    verbs: strings(fields, 'verbs', path, problems),
    resources: groupResources(fields['resources'], `${path}.resources`, problems),
    namespaces: strings(fields, 'namespaces', path, problems),
    nonResourceUrls: urls(fields, path, problems),
    omitStages: new Set([...base.omitStages, ...stages(fields, path, problems)]),
    omitManagedFields: bool(fields, 'omitManagedFields', path, problems) ?? base.omitManagedFields,
  };
  if (out.nonResourceUrls.length > 0 && (out.resources.length > 0 || out.namespaces.length > 0))
    problems.push(`${path}.nonResourceURLs: Invalid value: rules cannot apply to both regular resources and non-resource URLs`);
  return out;
}

function matchesUrl(path: string, spec: string): boolean {
  return spec === '*' || spec === path || (spec.endsWith('*') && path.startsWith(spec.slice(0, -1)));
}

function matchesResource(r: PolicyRule, info: RequestInfo): boolean {
  if (!info.isResourceRequest) return false;
  if (r.namespaces.length > 0 && !r.namespaces.includes(info.namespace)) return false;
  if (r.resources.length === 0) return true;
  const combined = info.subresource === '' ? info.resource : `${info.resource}/${info.subresource}`;
  return r.resources.some((g) => {
    if (g.group !== info.group && g.group !== '*') return false;
    if (g.resources.length === 0) return true;
    if (g.resourceNames.length > 0 && !g.resourceNames.includes(info.name)) return false;
    return g.resources.some(
      (spec) =>
        spec === '*' ||
        spec === combined ||
        (info.subresource !== '' && spec === `*/${info.subresource}`) ||
        (spec.endsWith('/*') && spec.slice(0, -2) === info.resource),
    );
  });
}

function matches(r: PolicyRule, info: RequestInfo, user: UserInfo | undefined): boolean {
  if (r.users.length > 0 && (user === undefined || !r.users.includes(user.name))) return false;
  if (r.userGroups.length > 0 && !(user?.groups ?? []).some((g) => r.userGroups.includes(g))) return false;
  if (r.verbs.length > 0 && !r.verbs.includes(info.verb)) return false;
  if (r.namespaces.length > 0 || r.resources.length > 0) return matchesResource(r, info);
  if (r.nonResourceUrls.length > 0) return !info.isResourceRequest && r.nonResourceUrls.some((spec) => matchesUrl(info.path, spec));
  return true;
}

/** A Policy of audit.k8s.io/v1 in YAML or JSON. Throws AuditPolicyError with everything that is wrong. */
export function parseAuditPolicy(text: string): AuditPolicy {
  let root: unknown;
  try {
    root = parse(text, { version: '1.1', maxAliasCount: 100 });
  } catch (error) {
    throw new AuditPolicyError(`failed decoding: ${(error as Error).message}`);
  }
  if (!isFields(root)) throw new AuditPolicyError('failed decoding: no mapping at the top');
  if (root['apiVersion'] !== 'audit.k8s.io/v1' || root['kind'] !== 'Policy')
    throw new AuditPolicyError(
      `unknown group version field ${String(root['apiVersion'] ?? '')}, Kind=${String(root['kind'] ?? '')} in policy: it must be audit.k8s.io/v1, Kind=Policy`,
    );
  const problems: string[] = [];
  checkKnown(root, ['apiVersion', 'kind', 'metadata', 'rules', 'omitStages', 'omitManagedFields'], '', problems);
  const base = {
    omitStages: new Set(stages(root, '', problems)),
    omitManagedFields: bool(root, 'omitManagedFields', '', problems) ?? false,
  };
  const given = root['rules'];
  if (given !== undefined && given !== null && !Array.isArray(given)) problems.push('rules: must be a list');
  const rules = (Array.isArray(given) ? given : []).map((value: unknown, i) => rule(value, `rules[${i}]`, base, problems));
  if (problems.length > 0) throw new AuditPolicyError(problems.join('; '));
  if (rules.length === 0) throw new AuditPolicyError('loaded illegal policy with 0 rules');
  const nothing: AuditRuling = { level: 'None', ...base };
  return (info, user) => rules.find((r) => matches(r, info, user)) ?? nothing;
}

/** Throws AuditPolicyError. */
export function readAuditPolicy(file: string): AuditPolicy {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    throw new AuditPolicyError(`--audit-policy-file: failed to read file path ${JSON.stringify(file)}: ${(error as Error).message}`);
  }
  try {
    return parseAuditPolicy(text);
  } catch (error) {
    if (error instanceof AuditPolicyError) throw new AuditPolicyError(`--audit-policy-file: ${error.message}: from file ${file}`);
    throw error;
  }
}
