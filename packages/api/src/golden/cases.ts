import { accessCases } from './access-cases.ts';
import { autoscalingCases } from './autoscaling-cases.ts';
import type { GoldenCase } from './case.ts';
import { clusterCases } from './cluster-cases.ts';
import { coreCases } from './core-cases.ts';
import { deviceCases } from './device-cases.ts';
import { differenceCases } from './difference-cases.ts';
import { extensionCases } from './extension-cases.ts';
import { jobCases } from './job-cases.ts';
import { networkCases } from './network-cases.ts';
import { podDefaultCases } from './pod-default-cases.ts';
import { podUpdateCases } from './pod-update-cases.ts';
import { podValidationCases } from './pod-validation-cases.ts';
import { policyCases } from './policy-cases.ts';
import { serviceCases } from './service-cases.ts';
import { storageCases } from './storage-cases.ts';
import { volumeCases } from './volume-cases.ts';
import { workloadCases } from './workload-cases.ts';

/** Cases by file of recorded answers. */
export const goldenCases: Readonly<Record<string, readonly GoldenCase[]>> = {
  'pod-defaults': podDefaultCases,
  'pod-validation': podValidationCases,
  'pod-updates': podUpdateCases,
  workloads: workloadCases,
  services: serviceCases,
  core: coreCases,
  access: accessCases,
  cluster: clusterCases,
  volumes: volumeCases,
  jobs: jobCases,
  networks: networkCases,
  policies: policyCases,
  autoscaling: autoscalingCases,
  storage: storageCases,
  extensions: extensionCases,
  differences: differenceCases,
  devices: deviceCases,
};
