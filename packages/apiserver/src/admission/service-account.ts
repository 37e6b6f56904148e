import { randomBytes } from 'node:crypto';
import { allReferences, serviceAccount, type Container, type Pod, type ServiceAccount, type Volume } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import type { AdmissionRequest, Lifetime, ObjectAccess } from '../contract.ts';
import { type AdmissionPlugin, isFor } from './plugin.ts';
import { refuse } from './refuse.ts';

const volumeNamePrefix = 'kube-api-access-';
const mountPath = '/var/run/secrets/kubernetes.io/serviceaccount';
const mirrorPodAnnotation = 'kubernetes.io/config.mirror';
const enforceMountableSecrets = 'kubernetes.io/enforce-mountable-secrets';
/** An hour and seven seconds: upstream's mark of a token that clients may still hold for longer. */
const tokenSeconds = 3607;
const lookupAttempts = 10;
const lookupDelayMs = 100;

const podOf = (r: AdmissionRequest): Pod => r.object as unknown as Pod;
const isMirror = (pod: Pod): boolean => pod.metadata?.annotations?.[mirrorPodAnnotation] !== undefined;

const tokenVolume = (name: string): Volume => ({
  name,
  projected: {
    defaultMode: 0o644,
    sources: [
      { serviceAccountToken: { path: 'token', expirationSeconds: tokenSeconds } },
      { configMap: { name: 'kube-root-ca.crt', items: [{ key: 'ca.crt', path: 'ca.crt' }] } },
      { downwardAPI: { items: [{ path: 'namespace', fieldRef: { apiVersion: 'v1', fieldPath: 'metadata.namespace' } }] } },
    ],
  },
});

const randomSuffix = (): string => {
  const alphabet = 'bcdfghjklmnpqrstvwxz2456789';
  return [...randomBytes(5)].map((b) => alphabet[b % alphabet.length]).join('');
};

function mountToken(pod: Pod, r: AdmissionRequest): void {
  const spec = pod.spec;
  if (spec === undefined) return;
  const existing = spec.volumes?.find((v) => v.name.startsWith(volumeNamePrefix));
  let name = existing?.name ?? (r.memo.get('kube-api-access') as string | undefined);
  if (name === undefined) {
    name = `${volumeNamePrefix}${randomSuffix()}`;
    r.memo.set('kube-api-access', name);
  }
  let needed = false;
  for (const container of [...(spec.initContainers ?? []), ...(spec.containers ?? [])]) {
    if (container.volumeMounts?.some((m) => m.mountPath === mountPath)) continue;
    container.volumeMounts = [...(container.volumeMounts ?? []), { name, readOnly: true, mountPath }];
    needed = true;
  }
  if (needed && existing === undefined) spec.volumes = [...(spec.volumes ?? []), tokenVolume(name)];
}

/** With the account's annotation set, a pod may only use secrets that the account lists. */
function forbiddenSecret(account: DeepReadonly<ServiceAccount>, pod: Pod): string | undefined {
  const allowed = new Set((account.secrets ?? []).map((s) => s.name));
  const suffix = `is not allowed because service account ${account.metadata?.name ?? ''} does not reference that secret`;
  for (const volume of pod.spec?.volumes ?? []) {
    if (volume.secret !== undefined && !allowed.has(volume.secret.secretName))
      return `volume with secret.secretName="${volume.secret.secretName ?? ''}" ${suffix}`;
  }
  const inContainer = (kind: string, c: Pick<Container, 'name' | 'env' | 'envFrom'>): string | undefined => {
    for (const env of c.env ?? []) {
      const name = env.valueFrom?.secretKeyRef?.name;
      if (env.valueFrom?.secretKeyRef !== undefined && !allowed.has(name))
        return `${kind} ${c.name} with envVar ${env.name} referencing secret.secretName="${name ?? ''}" ${suffix}`;
    }
    for (const from of c.envFrom ?? []) {
      if (from.secretRef !== undefined && !allowed.has(from.secretRef.name))
        return `${kind} ${c.name} with envFrom referencing secret.secretName="${from.secretRef.name ?? ''}" ${suffix}`;
    }
    return undefined;
  };
  for (const c of pod.spec?.initContainers ?? []) {
    const problem = inContainer('init container', c);
    if (problem !== undefined) return problem;
  }
  for (const c of pod.spec?.containers ?? []) {
    const problem = inContainer('container', c);
    if (problem !== undefined) return problem;
  }
  for (const c of pod.spec?.ephemeralContainers ?? []) {
    const problem = inContainer('ephemeral container', c);
    if (problem !== undefined) return problem;
  }
  const pullSecrets = new Set((account.imagePullSecrets ?? []).map((s) => s.name));
  const bad = (pod.spec?.imagePullSecrets ?? []).findIndex((s) => !pullSecrets.has(s.name));
  if (bad < 0) return undefined;
  return `imagePullSecrets[${bad}].name="${pod.spec?.imagePullSecrets?.[bad]?.name ?? ''}" is not allowed because service account ${account.metadata?.name ?? ''} does not reference that imagePullSecret`;
}

function mirrorProblem(pod: Pod): string | undefined {
  if ((pod.spec?.serviceAccountName ?? '') !== '') return 'a mirror pod may not reference service accounts';
  if (allReferences(pod).secrets.size > 0) return 'a mirror pod may not reference secrets';
  if ((pod.spec?.volumes ?? []).some((v) => v.projected?.sources?.some((s) => s.serviceAccountToken !== undefined))) {
    return 'a mirror pod may not use ServiceAccountToken volume projections';
  }
  return undefined;
}

function refuseBadMirror(pod: Pod, r: AdmissionRequest): void {
  const problem = mirrorProblem(pod);
  if (problem !== undefined) throw refuse(r, problem);
}

/** Every pod runs as a ServiceAccount: `default` where none is named, with its pull secrets and a token mounted. */
export const serviceAccountAdmission = (
  objects: ObjectAccess,
  sleep: (delayMs: number, signal: AbortSignal) => Promise<void>,
): AdmissionPlugin => {
  const find = async (r: AdmissionRequest, name: string, lifetime: Lifetime): Promise<DeepReadonly<ServiceAccount>> => {
    let found: DeepReadonly<ServiceAccount> | undefined = objects.get<ServiceAccount>(serviceAccount, r.namespace, name);
    // A new namespace's default account is made by a controller: it may take a moment.
    for (let i = 0; found === undefined && i < (name === 'default' ? lookupAttempts : 1); i++) {
      // Longer each time, 4.5 s in all: on a busy machine the controller is in no hurry.
      if (i > 0) await sleep(i * lookupDelayMs, lifetime.signal);
      found = await objects.read<ServiceAccount>(serviceAccount, r.namespace, name);
    }
    if (found === undefined) throw refuse(r, `error looking up service account ${r.namespace}/${name}: serviceaccount "${name}" not found`);
    return found;
  };
  return {
    name: 'ServiceAccount',
    handles: (r) =>
      (r.operation === 'CREATE' && isFor(r, '', 'pods')) || (r.operation === 'UPDATE' && isFor(r, '', 'pods', 'ephemeralcontainers')),
    mutate: async (r, lifetime) => {
      const pod = podOf(r);
      if (r.operation !== 'CREATE' || pod.spec === undefined) return;
      if (isMirror(pod)) return refuseBadMirror(pod, r);
      pod.spec.serviceAccountName ||= 'default';
      // The deprecated alias always says the same.
      pod.spec.serviceAccount = pod.spec.serviceAccountName;
      const account = await find(r, pod.spec.serviceAccountName, lifetime);
      if (pod.spec.automountServiceAccountToken ?? account.automountServiceAccountToken ?? true) mountToken(pod, r);
      if ((pod.spec.imagePullSecrets ?? []).length === 0 && (account.imagePullSecrets ?? []).length > 0) {
        pod.spec.imagePullSecrets = (account.imagePullSecrets ?? []).map((s) => ({ ...s }));
      }
    },
    validate: async (r, lifetime) => {
      const pod = podOf(r);
      if (r.operation === 'CREATE' && isMirror(pod)) return refuseBadMirror(pod, r);
      const name = pod.spec?.serviceAccountName ?? '';
      if (name === '') throw refuse(r, `no service account specified for pod ${r.namespace}/${pod.metadata?.name ?? ''}`);
      const account = await find(r, name, lifetime);
      if (!/^(?:1|t|T|true|TRUE|True)$/.test(account.metadata?.annotations?.[enforceMountableSecrets] ?? '')) return;
      const problem = forbiddenSecret(account, pod);
      if (problem !== undefined) throw refuse(r, problem);
    },
  };
};
