import { type DeepReadonly, nameIsDNSSubdomain, type ResourceStrategy, warningsForIP } from '@skiff/apimachinery';
import type { Container, Pod, PodStatus } from '../../../generated/types/core-v1.ts';
import { semanticEqual } from '../../../semantic-equality.ts';
import { bumpGeneration, keepField, keepMetadata, setGeneration } from '../../../spec-and-status.ts';
import { nameWarning } from '../../../name-warning.ts';
import { syncAppArmorAnnotations } from './app-armor.ts';
import { dropDisabledPodFields } from './drop-disabled.ts';
import { mergeLabelKeys } from './label-key-selectors.ts';
import { computePodQOSClass } from './qos-class.ts';
import { validatePodCreate } from './validate-pod.ts';
import { validatePodResize } from './validate-resize.ts';
import { validatePodStatusUpdate } from './validate-status.ts';
import { validateEphemeralContainersUpdate, validatePodUpdate } from './validate-update.ts';
import { podWarnings } from './warnings.ts';

const podSpecStruct = 'io.k8s.api.core.v1.PodSpec';

function countGeneration(draft: Pod, old: DeepReadonly<Pod>): void {
  if (!semanticEqual(podSpecStruct, draft.spec, old.spec)) bumpGeneration(draft, old);
}

export const podStrategy: ResourceStrategy<Pod> = {
  validateName: nameIsDNSSubdomain,
  validate: validatePodCreate,
  validateUpdate: validatePodUpdate,
  prepareForCreate(draft, context) {
    setGeneration(draft, 1);
    draft.status = { phase: 'Pending', qosClass: computePodQOSClass(draft.spec) };
    if ((draft.spec?.schedulingGates ?? []).length > 0) {
      draft.status.conditions = [
        {
          type: 'PodScheduled',
          status: 'False',
          lastTransitionTime: context.now,
          reason: 'SchedulingGated',
          message: 'Scheduling is blocked due to non-empty scheduling gates',
        },
      ];
    }
    dropDisabledPodFields(draft.spec, undefined, 'spec', context.warn);
    mergeLabelKeys(draft);
    syncAppArmorAnnotations(draft);
  },
  prepareForUpdate(draft, old, context) {
    keepField(draft, old, 'status');
    dropDisabledPodFields(draft.spec, old.spec, 'spec', context.warn);
    countGeneration(draft, old);
  },
  gracefulDelete: podGracePeriodSeconds,
  warnings(pod, old) {
    // Pods are updated by programs, which read no warnings.
    return old === undefined ? [...nameWarning(pod, "the Pod's hostname"), ...podWarnings(pod, '')] : [];
  },
};

/** Seconds between SIGTERM and SIGKILL: what was asked for, else the spec's; 0 where no kubelet has anything to stop. */
export function podGracePeriodSeconds(pod: DeepReadonly<Pod>, requestedSeconds: number | undefined): number {
  const terminated = pod.status?.phase === 'Failed' || pod.status?.phase === 'Succeeded';
  if (!pod.spec?.nodeName || terminated) return 0;
  const seconds = requestedSeconds ?? pod.spec.terminationGracePeriodSeconds ?? 0;
  return seconds < 0 ? 1 : seconds;
}

export const podStatusStrategy: ResourceStrategy<Pod> = {
  warnings: ({ status }) => [
    ...(status?.podIPs ?? []).flatMap(({ ip }, i) => warningsForIP(ip, `status.podIPs[${i}].ip`)),
    ...(status?.hostIPs ?? []).flatMap(({ ip }, i) => warningsForIP(ip, `status.hostIPs[${i}].ip`)),
  ],
  validateUpdate: validatePodStatusUpdate,
  prepareForUpdate(draft, old) {
    keepField(draft, old, 'spec');
    const meta = (draft.metadata ??= {});
    delete meta.deletionTimestamp;
    // Old kubelets corrupt owner references here, in a way that breaks garbage collection.
    keepField(meta, old.metadata ?? {}, 'ownerReferences');
    const status = (draft.status ??= {});
    // Set once at creation; kubelets drop it when they reject a Pod.
    if (!status.qosClass) keepField(status, old.status ?? {}, 'qosClass');
    keepObservedGenerations(status, old.status ?? {});
  },
};

/** A client that doesn't know `observedGeneration` doesn't erase it. Several conditions of one type are matched in order. */
function keepObservedGenerations(status: PodStatus, old: DeepReadonly<PodStatus>): void {
  if (!status.observedGeneration) keepField(status, old, 'observedGeneration');
  const before = new Map<string, number[]>();
  for (const condition of old.conditions ?? []) {
    before.set(condition.type, [...(before.get(condition.type) ?? []), condition.observedGeneration ?? 0]);
  }
  for (const condition of status.conditions ?? []) {
    const generation = before.get(condition.type)?.shift() ?? 0;
    if (!condition.observedGeneration && generation > 0) condition.observedGeneration = generation;
  }
}

export const podEphemeralContainersStrategy: ResourceStrategy<Pod> = {
  validateUpdate: validateEphemeralContainersUpdate,
  prepareForUpdate(draft, old) {
    const added = draft.spec?.ephemeralContainers;
    keepMetadata(draft, old);
    keepField(draft, old, 'status');
    keepField(draft, old, 'spec');
    if (draft.spec) {
      delete draft.spec.ephemeralContainers;
      if (added) draft.spec.ephemeralContainers = added;
    }
    countGeneration(draft, old);
  },
};

export const podResizeStrategy: ResourceStrategy<Pod> = {
  validateUpdate: validatePodResize,
  prepareForUpdate(draft, old) {
    dropNonResizeChanges(draft, old);
    countGeneration(draft, old);
  },
};

/** Takes over resources and resize policies only. Added, removed or renamed containers are left for validation to refuse. */
function dropNonResizeChanges(draft: Pod, old: DeepReadonly<Pod>): void {
  const spec = draft.spec;
  if (spec === undefined || old.spec === undefined) return;
  const initContainers = spec.initContainers ?? [];
  if (spec.containers.length !== old.spec.containers.length || initContainers.length !== (old.spec.initContainers ?? []).length) return;
  const containers = mergeResources(spec.containers, old.spec.containers);
  const mergedInit = mergeResources(initContainers, old.spec.initContainers ?? []);
  const { resources } = spec;
  keepMetadata(draft, old);
  keepField(draft, old, 'status');
  const kept = structuredClone(old.spec) as NonNullable<Pod['spec']>;
  delete kept.resources;
  draft.spec = {
    ...kept,
    containers,
    ...(mergedInit.length > 0 ? { initContainers: mergedInit } : {}),
    ...(resources ? { resources } : {}),
  };
}

function mergeResources(drafts: Container[], olds: readonly DeepReadonly<Container>[]): Container[] {
  if (drafts.some((c, i) => c.name !== olds[i]?.name)) return drafts;
  return drafts.map((draft, i) => {
    const merged = structuredClone(olds[i]) as Container;
    keepField(merged, draft, 'resources');
    keepField(merged, draft, 'resizePolicy');
    return merged;
  });
}
