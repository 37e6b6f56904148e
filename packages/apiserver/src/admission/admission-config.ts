import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { parseYaml } from '@skiff/apimachinery';
import { FlagError } from '@skiff/component-base';
import { eventLimitTypes, type EventLimit } from './event-rate-limit.ts';
import { type Policy, policyOf, privilegedPolicy } from './pod-security/policy.ts';
import { type PodSecurityConfig, standardPodSecurity } from './pod-security/pod-security.ts';

/** Plugins that run only where `--enable-admission-plugins` names them. */
export const offByDefault: ReadonlySet<string> = new Set([
  'AlwaysAdmit',
  'AlwaysDeny',
  'AlwaysPullImages',
  'DenyServiceExternalIPs',
  'EventRateLimit',
  'ExtendedResourceToleration',
  'LimitPodHardAntiAffinityTopology',
  'NamespaceAutoProvision',
  'NamespaceExists',
  'OwnerReferencesPermissionEnforcement',
  'PodNodeSelector',
  'PodTolerationRestriction',
]);

/** On by default, and can be turned off. Without upstream's gates for what is alpha, plugins that serve that alone are taken and do nothing. */
export const onByDefault: ReadonlySet<string> = new Set([
  'CertificateApproval',
  'CertificateSigning',
  'CertificateSubjectRestriction',
  'DefaultIngressClass',
  'DefaultStorageClass',
  'DefaultTolerationSeconds',
  'LimitRanger',
  'MutatingAdmissionPolicy',
  'MutatingAdmissionWebhook',
  'NamespaceLifecycle',
  'NodeRestriction',
  'PersistentVolumeClaimResize',
  'PodResizeValidator',
  'PodSecurity',
  'PodTopologyLabels',
  'Priority',
  'ResourceQuota',
  'RuntimeClass',
  'ServiceAccount',
  'StorageObjectInUseProtection',
  'TaintNodesByCondition',
  'ValidatingAdmissionPolicy',
  'ValidatingAdmissionWebhook',
]);
const withoutEffect: ReadonlySet<string> = new Set([
  'ClusterTrustBundleAttest',
  'JobValidation',
  'NodeDeclaredFeatureValidator',
  'PodGroupProtection',
  'PodGroupWorkloadExists',
]);

export interface AdmissionConfig {
  isEnabled(plugin: string): boolean;
  readonly podSecurity: PodSecurityConfig;
  /** See podNodeSelector. */
  readonly nodeSelectors: Readonly<Record<string, string>>;
  readonly eventLimits: readonly EventLimit[];
}

export const standardAdmission: AdmissionConfig = {
  isEnabled: (plugin) => !offByDefault.has(plugin),
  podSecurity: standardPodSecurity,
  nodeSelectors: {},
  eventLimits: [],
};

type Fields = Readonly<Record<string, unknown>>;
const isObject = (value: unknown): value is Fields => typeof value === 'object' && value !== null && !Array.isArray(value);

function parseFile(file: string): Fields {
  let value: unknown;
  try {
    ({ value } = parseYaml(readFileSync(file)));
  } catch (error) {
    throw new FlagError(`--admission-control-config-file: ${file}: ${error instanceof Error ? error.message : String(error)}`);
  }
  if (!isObject(value)) throw new FlagError(`--admission-control-config-file: ${file} is not an object`);
  return value;
}

const stringsOf = (value: unknown, what: string): readonly string[] => {
  if (value === undefined || value === null) return [];
  if (Array.isArray(value) && value.every((v) => typeof v === 'string')) return value;
  throw new FlagError(`${what} must be a list of strings`);
};

function podSecurityOf(c: Fields): PodSecurityConfig {
  const defaults = isObject(c['defaults']) ? c['defaults'] : {};
  const labels = Object.fromEntries(Object.entries(defaults).map(([key, value]) => [`pod-security.kubernetes.io/${key}`, String(value)]));
  // A label `enforce` makes `warn` follow; a default doesn't.
  const { policy, bad } = policyOf({ 'pod-security.kubernetes.io/warn': 'privileged', ...labels }, privilegedPolicy);
  const [wrong] = bad;
  if (wrong !== undefined) throw new FlagError(`PodSecurity: ${wrong.path}: ${JSON.stringify(wrong.value)}: ${wrong.message}`);
  const exemptions = isObject(c['exemptions']) ? c['exemptions'] : {};
  return {
    defaults: policy satisfies Policy,
    exemptUsers: stringsOf(exemptions['usernames'], 'exemptions.usernames'),
    exemptNamespaces: stringsOf(exemptions['namespaces'], 'exemptions.namespaces'),
    exemptRuntimeClasses: stringsOf(exemptions['runtimeClasses'], 'exemptions.runtimeClasses'),
  };
}

function eventLimitsOf(c: Fields): EventLimit[] {
  const limits = Array.isArray(c['limits']) ? (c['limits'] as unknown[]) : [];
  return limits.map((limit, i) => {
    const where = `EventRateLimit: limits[${i}]`;
    if (!isObject(limit)) throw new FlagError(`${where} is not an object`);
    const type = eventLimitTypes.find((t) => t === limit['type']);
    if (type === undefined) throw new FlagError(`${where}.type must be one of ${eventLimitTypes.join(', ')}`);
    const positive = (field: string, fallback?: number): number => {
      const value = limit[field] ?? fallback;
      if (typeof value !== 'number' || !(value > 0)) throw new FlagError(`${where}.${field} must be positive`);
      return value;
    };
    return { type, qps: positive('qps'), burst: positive('burst'), cacheSize: positive('cacheSize', 4096) };
  });
}

function selectorsOf(c: Fields): Record<string, string> {
  const selectors = c['podNodeSelectorPluginConfig'];
  if (selectors === undefined) return {};
  if (isObject(selectors) && Object.values(selectors).every((v) => typeof v === 'string')) return selectors as Record<string, string>;
  throw new FlagError('PodNodeSelector: podNodeSelectorPluginConfig must map namespaces to label selectors');
}

/** The file of `--admission-control-config-file`: an AdmissionConfiguration that holds plugins' settings or names their files. Throws FlagError. */
function readConfigurations(file: string): ReadonlyMap<string, Fields> {
  const document = parseFile(file);
  if (document['kind'] !== 'AdmissionConfiguration')
    throw new FlagError(`--admission-control-config-file: ${file} is no AdmissionConfiguration`);
  const plugins = Array.isArray(document['plugins']) ? (document['plugins'] as unknown[]) : [];
  return new Map(
    plugins.filter(isObject).map((p) => {
      const name = String(p['name']);
      if (isObject(p['configuration'])) return [name, p['configuration']];
      return [name, typeof p['path'] === 'string' && p['path'] !== '' ? parseFile(resolve(file, '..', p['path'])) : {}];
    }),
  );
}

const configurable: ReadonlySet<string> = new Set(['PodSecurity', 'PodNodeSelector', 'EventRateLimit']);

/** Throws FlagError for plugins that don't exist, are named both ways, or can't be configured. */
export function admissionConfig(o: {
  readonly enable: readonly string[];
  readonly disable: readonly string[];
  readonly file: string | undefined;
}): AdmissionConfig {
  for (const name of [...o.enable, ...o.disable]) {
    if (name === 'ImagePolicyWebhook')
      throw new FlagError('the admission plugin ImagePolicyWebhook is not there: use a validating webhook');
    if (!onByDefault.has(name) && !offByDefault.has(name) && !withoutEffect.has(name))
      throw new FlagError(`unknown admission plugin ${JSON.stringify(name)}`);
    if (o.enable.includes(name) && o.disable.includes(name)) {
      throw new FlagError(`${name} is in both --enable-admission-plugins and --disable-admission-plugins`);
    }
  }
  const configurations = o.file === undefined ? new Map<string, Fields>() : readConfigurations(o.file);
  for (const name of configurations.keys()) {
    if (!configurable.has(name)) throw new FlagError(`--admission-control-config-file: ${name} takes no configuration here`);
  }
  const eventLimits = eventLimitsOf(configurations.get('EventRateLimit') ?? {});
  if (o.enable.includes('EventRateLimit') && eventLimits.length === 0) {
    throw new FlagError('EventRateLimit needs limits in the file of --admission-control-config-file');
  }
  return {
    isEnabled: (name) => o.enable.includes(name) || (!o.disable.includes(name) && !offByDefault.has(name)),
    podSecurity: podSecurityOf(configurations.get('PodSecurity') ?? {}),
    nodeSelectors: selectorsOf(configurations.get('PodNodeSelector') ?? {}),
    eventLimits,
  };
}
