import { type DeepReadonly, FieldErrors, invalid, type KubeObject } from '@skiff/apimachinery';
import { needsHealthCheckNodePort } from '../core/v1/service/service-fields.ts';
import { validateClusterIPs } from '../core/v1/service/validate-cluster-ips.ts';
import type { Service } from '../generated/types/core-v1.ts';

/** Stands in for the apiserver's allocation, so that Services can be validated: one address, taken from nowhere. */
export function allocate(draft: KubeObject, old?: DeepReadonly<KubeObject>): void {
  if (draft.kind !== 'Service') return;
  const service = draft as Service;
  const spec = (service.spec ??= {});
  const before = (old as DeepReadonly<Service> | undefined)?.spec;
  if (needsHealthCheckNodePort(spec)) spec.healthCheckNodePort ||= before?.healthCheckNodePort || 30_999;
  if (spec.clusterIP && !spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
  const errors = new FieldErrors();
  validateClusterIPs(spec, errors, before);
  if (!errors.empty) throw invalid({ group: '', kind: 'Service' }, service.metadata?.name ?? '', errors.list);
  if (spec.type === 'ExternalName') return;
  spec.ipFamilies ??= ['IPv4'];
  spec.ipFamilyPolicy ??= 'SingleStack';
  spec.clusterIP ||= before?.clusterIP || '10.0.0.99';
  if (!spec.clusterIPs?.length) spec.clusterIPs = [spec.clusterIP];
}
