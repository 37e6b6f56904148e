import { type DeepReadonly, nameIsDNSLabel, type ResourceStrategy, warningsForIP } from '@skiff/apimachinery';
import type { Service, ServiceSpec } from '../../../generated/types/core-v1.ts';
import { deepEqual } from '../../../semantic-equality.ts';
import { specStrategy, statusStrategy } from '../../../spec-and-status.ts';
import {
  isExternallyAccessible,
  isLoadBalancer,
  needsClusterIP,
  needsHealthCheckNodePort,
  needsNodePort,
  type Spec,
} from './service-fields.ts';
import { validateService, validateServiceStatus, validateServiceUpdate } from './validate-service.ts';
import { serviceWarnings } from './warnings.ts';

function addsNoNodePort(spec: Spec, old: Spec): boolean {
  const before = new Set((old.ports ?? []).map((p) => p.nodePort ?? 0));
  return (spec.ports ?? []).every((p) => !p.nodePort || before.has(p.nodePort));
}

/**
 * `type` discriminates a union: when it changes, what the server had filled in for the old type goes, unless the client changed it
 * at the same time (then validation tells).
 */
function dropFieldsOfOldType(draft: Service, old: DeepReadonly<Service>): void {
  const spec = draft.spec;
  const before = old.spec;
  if (spec === undefined || before === undefined) return;
  const leaves = (needs: (s: Spec) => boolean): boolean => needs(before) && !needs(spec);
  const dropUnchanged = (field: keyof ServiceSpec): void => {
    if (deepEqual(spec[field], before[field])) delete spec[field];
  };
  if (leaves(needsClusterIP)) {
    if ((spec.clusterIP ?? '') === (before.clusterIP ?? '') && deepEqual(spec.clusterIPs ?? [], before.clusterIPs ?? [])) {
      delete spec.clusterIP;
      delete spec.clusterIPs;
    }
    dropUnchanged('ipFamilies');
    dropUnchanged('ipFamilyPolicy');
  }
  if (leaves(needsNodePort) && addsNoNodePort(spec, before)) for (const port of spec.ports ?? []) delete port.nodePort;
  if (leaves(needsHealthCheckNodePort)) dropUnchanged('healthCheckNodePort');
  if (leaves(isLoadBalancer)) {
    dropUnchanged('allocateLoadBalancerNodePorts');
    dropUnchanged('loadBalancerClass');
  }
  if (leaves(isExternallyAccessible)) dropUnchanged('externalTrafficPolicy');
  if (spec.type !== 'LoadBalancer' && draft.status) draft.status = { ...draft.status, loadBalancer: {} };
}

export const serviceStrategy: ResourceStrategy<Service> = specStrategy<Service>(
  {},
  {
    validateName: nameIsDNSLabel,
    allowCreateOnUpdate: true,
    prepareForUpdate: dropFieldsOfOldType,
    validate: (service, errors) => validateService(service, errors),
    validateUpdate: validateServiceUpdate,
    warnings: serviceWarnings,
    canonicalize(draft) {
      if (draft.spec?.type === 'ExternalName') delete draft.spec.internalTrafficPolicy;
    },
  },
);

export const serviceStatusStrategy: ResourceStrategy<Service> = statusStrategy<Service>({
  validateUpdate: validateServiceStatus,
  warnings: (service) =>
    (service.status?.loadBalancer?.ingress ?? []).flatMap((ingress, i) =>
      ingress.ip ? warningsForIP(ingress.ip, `status.loadBalancer.ingress[${i}]`) : [],
    ),
});
