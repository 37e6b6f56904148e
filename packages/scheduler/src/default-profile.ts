import { createProfile, type Profile, type ProfileEntry } from './framework/profile.ts';
import { createDefaultBinder } from './plugins/default-binder.ts';
import { createDefaultPreemption, type DefaultPreemptionDependencies } from './plugins/default-preemption.ts';
import { dynamicResources } from './plugins/dynamic-resources.ts';
import { imageLocality } from './plugins/image-locality.ts';
import { interPodAffinity } from './plugins/inter-pod-affinity.ts';
import { nodeAffinity } from './plugins/node-affinity.ts';
import { nodeName } from './plugins/node-name.ts';
import { nodePorts } from './plugins/node-ports.ts';
import { nodeResourcesBalancedAllocation } from './plugins/node-resources-balanced-allocation.ts';
import { nodeResourcesFit } from './plugins/node-resources-fit.ts';
import { nodeUnschedulable } from './plugins/node-unschedulable.ts';
import { createNodeVolumeLimits, type NodeVolumeLimitsDependencies } from './plugins/node-volume-limits.ts';
import { createPodTopologySpread, type PodTopologySpreadDependencies } from './plugins/pod-topology-spread.ts';
import { schedulingGates } from './plugins/scheduling-gates.ts';
import { taintToleration } from './plugins/taint-toleration.ts';
import { createVolumeBinding, type VolumeBindingDependencies } from './plugins/volume-binding.ts';
import { createVolumeRestrictions } from './plugins/volume-restrictions.ts';
import { createVolumeZone } from './plugins/volume-zone.ts';

export interface ProfileDependencies
  extends Omit<DefaultPreemptionDependencies, 'profile'>,
    PodTopologySpreadDependencies,
    Omit<VolumeBindingDependencies, 'claims' | 'volumes' | 'classes'>,
    Pick<VolumeBindingDependencies, 'claims' | 'volumes' | 'classes'>,
    Pick<NodeVolumeLimitsDependencies, 'csiNodes' | 'attachments'> {}

/** Every plugin, in the order in which they are asked, with kube-scheduler's default weights. */
export const defaultPlugins = (deps: ProfileDependencies, profile: () => Profile): readonly ProfileEntry[] => [
  { plugin: schedulingGates },
  { plugin: nodeUnschedulable },
  { plugin: nodeName },
  { plugin: taintToleration, weight: 3 },
  { plugin: nodeAffinity, weight: 2 },
  { plugin: nodePorts },
  { plugin: nodeResourcesFit, weight: 1 },
  { plugin: createVolumeRestrictions(deps) },
  { plugin: createNodeVolumeLimits(deps) },
  { plugin: createVolumeBinding(deps) },
  { plugin: createVolumeZone(deps) },
  { plugin: dynamicResources },
  { plugin: createPodTopologySpread(deps), weight: 2 },
  { plugin: interPodAffinity, weight: 2 },
  { plugin: createDefaultPreemption({ ...deps, profile }) },
  { plugin: nodeResourcesBalancedAllocation, weight: 1 },
  { plugin: imageLocality, weight: 1 },
  { plugin: createDefaultBinder(deps) },
];

export function createDefaultProfile(deps: ProfileDependencies): Profile {
  const profile: Profile = createProfile(defaultPlugins(deps, () => profile));
  return profile;
}
