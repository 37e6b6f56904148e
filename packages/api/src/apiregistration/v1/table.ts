import type { DeepReadonly } from '@skiff/apimachinery';
import type { APIService } from '../../generated/types/apiregistration-v1.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

function availability(service: DeepReadonly<APIService>): string {
  const condition = (service.status?.conditions ?? []).find((c) => c.type === 'Available');
  if (condition === undefined) return 'Unknown';
  return condition.status === 'True' || !condition.reason ? condition.status : `${condition.status} (${condition.reason})`;
}

export const apiServiceTable = defineTable<APIService>([nameColumn, 'Service', 'Available', 'Age'], (service, nowMs) => {
  const target = service.spec?.service;
  const where = target ? `${target.namespace ?? ''}/${target.name ?? ''}` : 'Local';
  return [nameOf(service), where, availability(service), age(service, nowMs)];
});
