import type { Registry } from 'prom-client';
import { Buckets, bucketSamples, registerSampled } from '../../metrics/sampled-metric.ts';

/** What became of an expression. */
export type PolicyErrorType = 'no_error' | 'compile_error' | 'invalid_error' | 'out_of_budget';
export type EnforcementAction = 'allow' | 'deny' | 'audit' | 'warn';

export interface PolicyMetrics {
  /** One validation of a policy for one of its bindings. */
  checked(policy: string, binding: string, errorType: PolicyErrorType, action: EnforcementAction, elapsedMs: number): void;
}
const bounds = [0.000_000_5, 0.001, 0.01, 0.1, 1];
const prefix = 'apiserver_validating_admission_policy_check';

/** apiserver_validating_admission_policy_check_total and its duration, with upstream's labels. */
export function createPolicyMetrics(registers: readonly Registry[]): PolicyMetrics {
  const series = new Map<string, { readonly labels: Record<string, string>; readonly buckets: Buckets }>();
  registerSampled(registers, {
    name: `${prefix}_total`,
    help: 'Validations by admission policies, by policy, binding and what was done.',
    type: 'counter',
    sample: () => [...series.values()].map((s) => ({ metricName: `${prefix}_total`, labels: s.labels, value: s.buckets.count })),
  });
  registerSampled(registers, {
    name: `${prefix}_duration_seconds`,
    help: 'Time of validations by admission policies, by policy, binding and what was done.',
    type: 'histogram',
    sample: () => [...series.values()].flatMap((s) => bucketSamples(`${prefix}_duration_seconds`, s.labels, s.buckets)),
  });
  return {
    checked: (policy, binding, errorType, action, elapsedMs) => {
      const key = `${policy} ${binding} ${errorType} ${action}`;
      let found = series.get(key);
      if (found === undefined) {
        const labels = { enforcement_action: action, error_type: errorType, policy, policy_binding: binding };
        series.set(key, (found = { labels, buckets: new Buckets(bounds) }));
      }
      found.buckets.observe(elapsedMs / 1000);
    },
  };
}
