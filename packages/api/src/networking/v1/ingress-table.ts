import type { DeepReadonly } from '@skiff/apimachinery';
import type { Ingress, IngressRule } from '../../generated/types/networking-v1.ts';
import { loadBalancerAddresses } from '../../load-balancer-addresses.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

const shownHosts = 3;

function hosts(rules: readonly DeepReadonly<IngressRule>[]): string {
  const named: string[] = [];
  let more = false;
  for (const { host } of rules) {
    if (named.length === shownHosts) more = true;
    else if (host) named.push(host);
  }
  if (named.length === 0) return '*';
  return more ? `${named.join(',')} + ${rules.length - shownHosts} more...` : named.join(',');
}

export const ingressTable = defineTable<Ingress>([nameColumn, 'Class', 'Hosts', 'Address', 'Ports', 'Age'], (ingress, nowMs) => [
  nameOf(ingress),
  ingress.spec?.ingressClassName ?? '<none>',
  hosts(ingress.spec?.rules ?? []),
  loadBalancerAddresses(ingress.status?.loadBalancer?.ingress),
  (ingress.spec?.tls ?? []).length > 0 ? '80, 443' : '80',
  age(ingress, nowMs),
]);
