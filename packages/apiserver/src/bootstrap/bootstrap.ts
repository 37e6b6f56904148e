import type { ResourceDefinition } from '@skiff/apimachinery';
import type { Logger } from '@skiff/component-base';
import { registerBuiltin } from '../aggregation/registration.ts';
import type { ObjectAccess, ServerMembers } from '../contract.ts';
import type { HealthCheck } from '../health/health.ts';
import { ensureClusterDns } from './cluster-dns.ts';
import { ensureFlowObjects } from './flow-objects.ts';
import { reconcileRbac } from './reconcile-rbac.ts';
import { ensureKubernetesService } from './kubernetes-service.ts';
import {
  ensureAuthenticationConfig,
  ensureNamespaces,
  ensurePriorityClasses,
  ensureServiceCidr,
  ensureStorageClass,
  ensureTokenTracking,
  type SystemObjectsConfig,
} from './system-objects.ts';

export interface Bootstrap {
  /** Makes what is missing. Throws when a step failed; may be run again. */
  run(): Promise<void>;
  /** One line of /readyz for each step, with upstream's names. */
  readonly checks: readonly HealthCheck[];
}

/** Objects that every cluster has. Namespaces come first: everything else may live in them. */
export function createBootstrap(
  config: SystemObjectsConfig,
  deps: {
    objects: ObjectAccess;
    members: Pick<ServerMembers, 'list'>;
    definitions: readonly ResourceDefinition[];
    nowMs: () => number;
    log: Logger;
  },
): Bootstrap {
  const { objects, log } = deps;
  const steps = [
    { name: 'poststarthook/start-system-namespaces-controller', run: () => ensureNamespaces(objects) },
    { name: 'poststarthook/rbac/bootstrap-roles', run: () => reconcileRbac(objects) },
    { name: 'poststarthook/scheduling/bootstrap-system-priority-classes', run: () => ensurePriorityClasses(objects) },
    { name: 'poststarthook/bootstrap-storage-class', run: () => ensureStorageClass(objects) },
    { name: 'poststarthook/priority-and-fairness-config-producer', run: () => ensureFlowObjects(objects) },
    { name: 'poststarthook/start-kubernetes-service-cidr-controller', run: () => ensureServiceCidr(objects, config) },
    { name: 'poststarthook/start-cluster-authentication-info-controller', run: () => ensureAuthenticationConfig(objects, config) },
    { name: 'poststarthook/start-legacy-token-tracking-controller', run: () => ensureTokenTracking(objects, deps.nowMs()) },
    { name: 'poststarthook/bootstrap-controller', run: () => ensureKubernetesService(objects, config, deps.members.list()) },
    { name: 'autoregister-completion', run: () => registerBuiltin(objects, deps.definitions) },
    { name: 'poststarthook/bootstrap-cluster-dns', run: () => ensureClusterDns(objects, config) },
  ];
  const done = new Set<string>();
  const runStep = async (step: (typeof steps)[number]): Promise<void> => {
    if (done.has(step.name)) return;
    const startedMs = performance.now();
    await step.run();
    done.add(step.name);
    log.debug({ step: step.name, tookMs: Math.round(performance.now() - startedMs) }, 'bootstrap step done');
  };
  return {
    run: async () => {
      const [namespaces, ...rest] = steps;
      if (namespaces !== undefined) await runStep(namespaces);
      const results = await Promise.allSettled(rest.map(runStep));
      const failed = results.find((r) => r.status === 'rejected');
      if (failed !== undefined) throw failed.reason;
    },
    checks: steps.map((step) => ({ name: step.name, check: () => (done.has(step.name) ? undefined : 'not finished') })),
  };
}
