import type { GoldenCase } from './case.ts';
import { podDefaultCases } from './pod-default-cases.ts';
import { podUpdateCases } from './pod-update-cases.ts';
import { podValidationCases } from './pod-validation-cases.ts';
import { serviceCases } from './service-cases.ts';
import { workloadCases } from './workload-cases.ts';

/** Cases by file of recorded answers. */
export const goldenCases: Readonly<Record<string, readonly GoldenCase[]>> = {
  'pod-defaults': podDefaultCases,
  'pod-validation': podValidationCases,
  'pod-updates': podUpdateCases,
  workloads: workloadCases,
  services: serviceCases,
};
