import { createHash } from 'node:crypto';
import { builtinSchemas, pod as pods, type Pod } from '@skiff/api';
import { createTypedCodec, type DeepReadonly, FieldErrors, formatFieldError, parseYaml, validateObjectMeta } from '@skiff/apimachinery';
import { type ContainerSpec, ephemeralContainersOf, initContainersOf, type PodSnapshot, snapshotPod } from '../pod/pod-snapshot.ts';

const codec = createTypedCodec<Pod>(builtinSchemas, pods.schemaName);

export const configAnnotations = {
  hash: 'kubernetes.io/config.hash',
  source: 'kubernetes.io/config.source',
  mirror: 'kubernetes.io/config.mirror',
} as const;

const usesSecret = (c: ContainerSpec): boolean =>
  (c.env ?? []).some((e) => e.valueFrom?.secretKeyRef !== undefined) || (c.envFrom ?? []).some((e) => e.secretRef !== undefined);
const usesConfigMap = (c: ContainerSpec): boolean =>
  (c.env ?? []).some((e) => e.valueFrom?.configMapKeyRef !== undefined) || (c.envFrom ?? []).some((e) => e.configMapRef !== undefined);

/** The resource of the API that a pod refers to: static pods have to run without it. */
function apiReference(pod: PodSnapshot): string | undefined {
  const { spec } = pod;
  const containers = [...initContainersOf(pod), ...spec.containers, ...ephemeralContainersOf(pod)];
  if (spec.serviceAccountName !== undefined && spec.serviceAccountName !== '') return 'serviceaccounts';
  if ((spec.imagePullSecrets ?? []).length > 0 || containers.some(usesSecret)) return 'secrets';
  if (containers.some(usesConfigMap)) return 'configmaps';
  if ((spec.resourceClaims ?? []).length > 0) return 'resourceclaims';
  for (const v of spec.volumes ?? []) {
    if (v.configMap !== undefined) return 'configmaps (via configmap volumes)';
    if (v.secret !== undefined) return 'secrets (via secret volumes)';
    if (v.csi !== undefined) return 'csidrivers (via CSI volumes)';
    if (v.persistentVolumeClaim !== undefined) return 'persistentvolumeclaims';
    if (v.ephemeral !== undefined) return 'persistentvolumeclaims (via ephemeral volumes)';
    for (const s of v.projected?.sources ?? []) {
      if (s.configMap !== undefined) return 'configmaps (via projected volumes)';
      if (s.secret !== undefined) return 'secrets (via projected volumes)';
      if (s.serviceAccountToken !== undefined) return 'serviceaccounts (via projected volumes)';
      if (s.clusterTrustBundle !== undefined) return 'clustertrustbundles';
      if (s.podCertificate !== undefined) return 'podcertificates';
    }
  }
  return undefined;
}

/** Where a manifest comes from, and who reads it when. */
export type ManifestOrigin = { readonly nodeName: string; readonly now: string } & ({ readonly file: string } | { readonly url: string });

/** Adds what upstream adds to every static pod: the node's name, a UID that follows from the content, and where it came from. */
function claim(draft: Pod, o: ManifestOrigin): void {
  const { metadata: { resourceVersion: _, ...metadata } = {}, spec } = draft;
  const content = JSON.stringify({ metadata, spec });
  const uid =
    metadata.uid ??
    createHash('md5')
      .update(content)
      .update(`host:${o.nodeName}`)
      .update('file' in o ? `file:${o.file}` : `url:${o.url}`)
      .digest('hex');
  draft.metadata = {
    ...metadata,
    uid,
    name: `${metadata.name ?? ''}-${o.nodeName.toLowerCase()}`,
    namespace: metadata.namespace ?? 'default',
    annotations: {
      ...metadata.annotations,
      [configAnnotations.hash]: uid,
      [configAnnotations.source]: 'file' in o ? 'file' : 'http',
      'kubernetes.io/config.seen': o.now,
    },
  };
  if (spec === undefined) return;
  spec.nodeName = o.nodeName;
  const everything = { operator: 'Exists', effect: 'NoExecute' };
  if (!(spec.tolerations ?? []).some((t) => t.operator === 'Exists' && t.effect === 'NoExecute' && t.key === undefined))
    spec.tolerations = [...(spec.tolerations ?? []), everything];
}

/**
 * A manifest as the pod that this node is to run. Throws with what is wrong: it is checked as the API would check it, since its mirror
 * has to be taken there.
 */
export const readManifest = (text: string, o: ManifestOrigin): PodSnapshot => readOne(parseYaml(text), o);

/** The same for one pod or a list of them. Throws for the first that is wrong. */
export function readManifests(text: string, o: ManifestOrigin): readonly PodSnapshot[] {
  const parsed = parseYaml(text);
  const head = parsed.value as { kind?: unknown; apiVersion?: unknown; items?: unknown } | null;
  const isList = head?.apiVersion === 'v1' && (head.kind === 'PodList' || head.kind === 'List') && Array.isArray(head.items);
  if (!isList) return [readOne(parsed, o)];
  return (head.items as unknown[]).map((item) =>
    readOne(parseYaml(JSON.stringify({ apiVersion: 'v1', kind: 'Pod', ...(item as object) })), o),
  );
}

function readOne(parsed: ReturnType<typeof parseYaml>, o: ManifestOrigin): PodSnapshot {
  const head = parsed.value as DeepReadonly<Pod> | null;
  if (head === null || typeof head !== 'object' || head.kind !== 'Pod' || head.apiVersion !== 'v1') throw new Error('it is not a v1 Pod');
  const { object: draft, strictErrors } = codec.decode(parsed);
  if (strictErrors.length > 0) throw new Error(strictErrors.join(', '));
  if (draft.metadata?.name === undefined || draft.metadata.name === '') throw new Error('invalid pod: name is needed for the pod');
  claim(draft, o);
  codec.applyDefaults(draft);
  pods.defaults?.(draft);
  draft.status = { phase: 'Pending' };
  const errors = new FieldErrors();
  validateObjectMeta(draft.metadata, { scope: 'Namespaced', validateName: pods.strategy?.validateName }, errors);
  pods.strategy?.validate?.(draft as DeepReadonly<Pod>, errors, { now: o.now, user: { name: 'kubelet', groups: [] } });
  if (!errors.empty) throw new Error(`invalid pod: ${errors.list.map(formatFieldError).join(', ')}`);
  const pod = snapshotPod(draft as DeepReadonly<Pod>);
  if (pod === undefined) throw new Error('invalid pod: it has no spec');
  const reference = apiReference(pod);
  if (reference !== undefined) throw new Error(`static pods may not reference ${reference}`);
  return pod;
}
