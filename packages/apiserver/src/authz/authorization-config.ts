import { readFileSync, statSync } from 'node:fs';
import { isAbsolute } from 'node:path';
import { FlagError, type FlagTable, parseDuration } from '@skiff/component-base';
import { parse } from 'yaml';
import type { RemoteServer } from '../remote/kubeconfig.ts';
import { readRemoteServer } from '../remote/kubeconfig.ts';
import { compileCondition, type WebhookAuthorizerConfig } from './webhook.ts';

export const builtinAuthorizers = ['Node', 'RBAC', 'AlwaysAllow', 'AlwaysDeny'] as const;
export type BuiltinAuthorizer = (typeof builtinAuthorizers)[number];

/** One step of the chain. */
export type AuthorizerStep =
  | { readonly type: BuiltinAuthorizer }
  | { readonly type: 'Webhook'; readonly config: WebhookAuthorizerConfig; readonly server: RemoteServer };

export class AuthorizationConfigError extends Error {}

export const authorizationFlags = {
  'authorization-mode': {
    type: 'list',
    default: ['Node', 'RBAC'],
    help: 'authorizers in order: Node, RBAC, Webhook, AlwaysAllow, AlwaysDeny',
  },
  'authorization-config': {
    type: 'string',
    help: 'AuthorizationConfiguration: authorizers in order, in place of --authorization-mode; it is followed',
  },
  'authorization-webhook-config-file': { type: 'string', help: 'kubeconfig of a server that decides' },
  'authorization-webhook-cache-authorized-ttl': { type: 'duration', default: '5m', help: 'how long its "yes" holds' },
  'authorization-webhook-cache-unauthorized-ttl': { type: 'duration', default: '30s', help: 'how long its "no" holds' },
  'authorization-webhook-version': { type: 'string', default: 'v1beta1', help: 'version of SubjectAccessReviews: v1 or v1beta1' },
} as const satisfies FlagTable;

interface AuthorizationFlags {
  readonly 'authorization-mode': readonly string[];
  readonly 'authorization-config'?: string | undefined;
  readonly 'authorization-webhook-config-file'?: string | undefined;
  readonly 'authorization-webhook-cache-authorized-ttl': number;
  readonly 'authorization-webhook-cache-unauthorized-ttl': number;
  readonly 'authorization-webhook-version': string;
}

/** What the flags ask for: the steps, and the file that they come from, if it is to be followed. */
export interface AuthorizationConfig {
  readonly steps: readonly AuthorizerStep[];
  readonly file: string | undefined;
}

type Fields = Readonly<Record<string, unknown>>;
const isFields = (v: unknown): v is Fields => typeof v === 'object' && v !== null && !Array.isArray(v);
const isBuiltin = (type: string): type is BuiltinAuthorizer => (builtinAuthorizers as readonly string[]).includes(type);

const webhookFields = [
  'authorizedTTL',
  'cacheAuthorizedRequests',
  'unauthorizedTTL',
  'cacheUnauthorizedRequests',
  'timeout',
  'subjectAccessReviewVersion',
  'matchConditionSubjectAccessReviewVersion',
  'failurePolicy',
  'connectionInfo',
  'matchConditions',
];

function webhookStep(name: string, given: unknown, path: string, problems: string[]): AuthorizerStep | undefined {
  const before = problems.length;
  const fields = isFields(given) ? given : {};
  const bad = (field: string, why: string): void => void problems.push(`${path}.${field}: ${why}`);
  if (!isFields(given)) problems.push(`${path}: Required value: required when type=Webhook`);
  for (const field of Object.keys(fields)) if (!webhookFields.includes(field)) bad(field, 'unknown field');
  const text = (field: string): string => (typeof fields[field] === 'string' ? fields[field] : '');
  const duration = (field: string, fallback: number | undefined, maxMs: number): number => {
    const value = fields[field];
    if (value === undefined || value === null) {
      if (fallback === undefined) bad(field, 'Required value');
      return fallback ?? 0;
    }
    const ms = parseDuration(String(value));
    if (ms === undefined || ms <= 0 || ms > maxMs)
      bad(field, `Invalid value: ${JSON.stringify(value)}: must be > 0s${maxMs === Infinity ? '' : ` and <= ${maxMs / 1000}s`}`);
    return ms ?? 0;
  };
  const timeoutMs = duration('timeout', undefined, 30_000);
  const allowedTtlMs = duration('authorizedTTL', 300_000, Infinity);
  const refusedTtlMs = duration('unauthorizedTTL', 30_000, Infinity);
  const version = text('subjectAccessReviewVersion');
  if (version === '') bad('subjectAccessReviewVersion', 'Required value');
  else if (version !== 'v1' && version !== 'v1beta1')
    bad('subjectAccessReviewVersion', `Unsupported value: ${JSON.stringify(version)}: supported values: "v1", "v1beta1"`);
  const policy = text('failurePolicy');
  if (policy === '') bad('failurePolicy', 'Required value');
  else if (policy !== 'NoOpinion' && policy !== 'Deny')
    bad('failurePolicy', `Unsupported value: ${JSON.stringify(policy)}: supported values: "NoOpinion", "Deny"`);
  const conditions = Array.isArray(fields['matchConditions']) ? (fields['matchConditions'] as unknown[]) : [];
  const conditionVersion = text('matchConditionSubjectAccessReviewVersion');
  if (conditionVersion === '' && conditions.length > 0)
    bad('matchConditionSubjectAccessReviewVersion', 'Required value: required if match conditions are specified');
  else if (conditionVersion !== '' && conditionVersion !== 'v1')
    bad('matchConditionSubjectAccessReviewVersion', `Unsupported value: ${JSON.stringify(conditionVersion)}: supported values: "v1"`);
  if (conditions.length > 64) bad('matchConditions', `Too many: ${conditions.length}: must have at most 64 items`);
  const programs = conditions.slice(0, 64).flatMap((condition, i) => {
    const expression = isFields(condition) && typeof condition['expression'] === 'string' ? condition['expression'] : '';
    if (expression.trim() === '') {
      bad(`matchConditions[${i}].expression`, 'Required value');
      return [];
    }
    try {
      return [compileCondition(expression)];
    } catch (error) {
      bad(`matchConditions[${i}].expression`, `Invalid value: ${JSON.stringify(expression)}: ${(error as Error).message}`);
      return [];
    }
  });
  const connection = isFields(fields['connectionInfo']) ? fields['connectionInfo'] : {};
  const file = connection['kubeConfigFile'];
  let server: RemoteServer | undefined;
  if (connection['type'] === 'InClusterConfig')
    bad('connectionInfo.type', 'Invalid value: "InClusterConfig": not allowed for kube-apiserver');
  else if (connection['type'] !== 'KubeConfigFile') bad('connectionInfo.type', 'Required value: KubeConfigFile');
  else if (typeof file !== 'string' || file === '') bad('connectionInfo.kubeConfigFile', 'Required value');
  else if (!isAbsolute(file)) bad('connectionInfo.kubeConfigFile', `Invalid value: ${JSON.stringify(file)}: must be an absolute path`);
  else {
    try {
      if (!statSync(file).isFile()) throw new Error('must be a regular file');
      server = readRemoteServer(file, 'authorization-config');
    } catch (error) {
      bad('connectionInfo.kubeConfigFile', `Invalid value: ${JSON.stringify(file)}: ${(error as Error).message}`);
    }
  }
  if (problems.length > before || server === undefined) return undefined;
  return {
    type: 'Webhook',
    server,
    config: {
      name,
      apiVersion: `authorization.k8s.io/${version}`,
      timeoutMs,
      allowedTtlMs: fields['cacheAuthorizedRequests'] === false ? 0 : allowedTtlMs,
      refusedTtlMs: fields['cacheUnauthorizedRequests'] === false ? 0 : refusedTtlMs,
      onFailure: policy === 'Deny' ? 'deny' : 'no-opinion',
      conditions: programs,
    },
  };
}

/** An AuthorizationConfiguration of apiserver.config.k8s.io/v1. Throws AuthorizationConfigError with everything that is wrong. */
export function parseAuthorizationConfig(text: string): readonly AuthorizerStep[] {
  let root: unknown;
  try {
    root = parse(text, { maxAliasCount: 100 });
  } catch (error) {
    throw new AuthorizationConfigError(`not YAML: ${(error as Error).message}`);
  }
  if (!isFields(root) || root['kind'] !== 'AuthorizationConfiguration' || root['apiVersion'] !== 'apiserver.config.k8s.io/v1')
    throw new AuthorizationConfigError('it must be an AuthorizationConfiguration of apiserver.config.k8s.io/v1');
  const problems: string[] = [];
  for (const field of Object.keys(root))
    if (!['kind', 'apiVersion', 'metadata', 'authorizers'].includes(field)) problems.push(`${field}: unknown field`);
  const given = Array.isArray(root['authorizers']) ? (root['authorizers'] as unknown[]) : [];
  if (given.length === 0) problems.push('authorizers: Required value: at least one authorization mode must be defined');
  const names = new Set<string>();
  const types = new Set<string>();
  const steps = given.flatMap((entry, i): AuthorizerStep[] => {
    const path = `authorizers[${i}]`;
    const fields = isFields(entry) ? entry : {};
    for (const field of Object.keys(fields))
      if (!['type', 'name', 'webhook'].includes(field)) problems.push(`${path}.${field}: unknown field`);
    const type = typeof fields['type'] === 'string' ? fields['type'] : '';
    const name = typeof fields['name'] === 'string' ? fields['name'] : '';
    if (type === '') problems.push(`${path}.type: Required value`);
    else if (type !== 'Webhook' && !isBuiltin(type))
      problems.push(
        `${path}.type: Unsupported value: ${JSON.stringify(type)}: supported values: ${[...builtinAuthorizers, 'Webhook'].map((t) => JSON.stringify(t)).join(', ')}`,
      );
    else if (types.has(type) && type !== 'Webhook') problems.push(`${path}.type: Duplicate value: ${JSON.stringify(type)}`);
    types.add(type);
    if (name === '') problems.push(`${path}.name: Required value`);
    else if (names.has(name)) problems.push(`${path}.name: Duplicate value: ${JSON.stringify(name)}`);
    else if (!/^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/.test(name))
      problems.push(`${path}.name: Invalid value: ${JSON.stringify(name)}: authorizer name is invalid`);
    names.add(name);
    if (type === 'Webhook') {
      const step = webhookStep(name, fields['webhook'], `${path}.webhook`, problems);
      return step === undefined ? [] : [step];
    }
    if (fields['webhook'] !== undefined)
      problems.push(`${path}.webhook: Invalid value: "non-null": may only be specified when type=Webhook`);
    return isBuiltin(type) ? [{ type }] : [];
  });
  if (problems.length > 0) throw new AuthorizationConfigError(problems.join('; '));
  return steps;
}

/** Throws FlagError and AuthorizationConfigError. */
export function authorizationFromFlags(f: AuthorizationFlags): AuthorizationConfig {
  const file = f['authorization-config'];
  if (file !== undefined) {
    try {
      return { steps: parseAuthorizationConfig(readFileSync(file, 'utf8')), file };
    } catch (error) {
      throw new AuthorizationConfigError(`--authorization-config: ${file}: ${(error as Error).message}`);
    }
  }
  const version = f['authorization-webhook-version'];
  if (version !== 'v1' && version !== 'v1beta1') throw new FlagError('--authorization-webhook-version takes v1 or v1beta1');
  const kubeconfig = f['authorization-webhook-config-file'];
  const steps = f['authorization-mode'].map((mode): AuthorizerStep => {
    if (isBuiltin(mode)) return { type: mode };
    if (mode !== 'Webhook') throw new FlagError(`--authorization-mode: unknown mode "${mode}"`);
    if (kubeconfig === undefined) throw new FlagError('--authorization-mode=Webhook needs --authorization-webhook-config-file');
    return {
      type: 'Webhook',
      server: readRemoteServer(kubeconfig, 'authorization-webhook-config-file'),
      config: {
        name: 'default',
        apiVersion: `authorization.k8s.io/${version}`,
        timeoutMs: 30_000,
        allowedTtlMs: f['authorization-webhook-cache-authorized-ttl'],
        refusedTtlMs: f['authorization-webhook-cache-unauthorized-ttl'],
        onFailure: 'no-opinion',
        conditions: [],
      },
    };
  });
  if (kubeconfig !== undefined && !f['authorization-mode'].includes('Webhook'))
    throw new FlagError('--authorization-webhook-config-file needs --authorization-mode=Webhook');
  return { steps, file: undefined };
}
