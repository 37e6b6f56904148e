import type { DeepReadonly } from '@skiff/apimachinery';
import type { Endpoints } from '../../generated/types/core-v1.ts';
import { moreOfAList } from '../../more-of-a-list.ts';
import { age, defineTable, nameColumn, nameOf } from '../../table.ts';

const hostPort = (ip: string, port: number): string => (ip.includes(':') ? `[${ip}]:${port}` : `${ip}:${port}`);

function addresses(endpoints: DeepReadonly<Endpoints>): string {
  const subsets = endpoints.subsets ?? [];
  if (subsets.length === 0) return '<none>';
  const items = subsets.flatMap((subset) => {
    const ips = (subset.addresses ?? []).map((a) => a.ip);
    const ports = subset.ports ?? [];
    return ports.length === 0 ? ips : ports.flatMap((p) => ips.map((ip) => hostPort(ip, p.port)));
  });
  return moreOfAList(items, 3);
}

export const endpointsTable = defineTable<Endpoints>([nameColumn, 'Endpoints', 'Age'], (endpoints, nowMs) => [
  nameOf(endpoints),
  addresses(endpoints),
  age(endpoints, nowMs),
]);
