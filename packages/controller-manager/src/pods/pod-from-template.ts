import type { Pod, PodTemplateSpec } from '@skiff/api';
import type { DeepReadonly, KubeObject, OwnerReference } from '@skiff/apimachinery';

/** A pod of `owner` from its template; without a name of its own it gets a generated one. */
export function podFromTemplate(
  template: DeepReadonly<PodTemplateSpec> | undefined,
  owner: DeepReadonly<KubeObject>,
  controller: OwnerReference,
): Pod {
  const from = structuredClone(template ?? {}) as PodTemplateSpec;
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      namespace: owner.metadata?.namespace ?? '',
      generateName: generateNamePrefix(owner.metadata?.name ?? ''),
      labels: { ...from.metadata?.labels },
      annotations: { ...from.metadata?.annotations },
      finalizers: [...(from.metadata?.finalizers ?? [])],
      ownerReferences: [controller],
    },
    spec: from.spec ?? { containers: [] },
  };
}

/** `name-`; names that leave no room for the separator go without. */
const generateNamePrefix = (name: string): string => (name.length + 1 <= 253 ? `${name}-` : name);
