import { describe, expect, it } from 'vitest';
import { createPortProblems } from './port-problems.ts';
import { emptyTable, type DataTable, type Frontend } from './table/types.ts';

const frontend: Frontend = { place: 'host', protocol: 'TCP', address: '192.168.1.5', port: 80, group: 'ns/web:http/TCP/IPv4/cluster' };
const key = 'host TCP 192.168.1.5:80';
const table: DataTable = {
  ...emptyTable({ localPodCidrs: [], clusterCidr: '10.244.0.0/16', shadowCidr: '10.220.0.0/16' }),
  frontends: { [key]: frontend, other: { ...frontend, group: 'hostPort/uid/TCP/80' } },
};
const inUse = { key, message: 'bind 192.168.1.5 80: EADDRINUSE' };

describe('ports that are in use', () => {
  it('are told to their Service once, and again when they come back', () => {
    const said: string[] = [];
    const problems = createPortProblems(
      { nodeName: 'n1' },
      {
        events: { event: (object, type, reason, message) => said.push(`${object.metadata?.name} ${type} ${reason}: ${message}`) },
        service: (namespace, name) => (namespace === 'ns' ? { metadata: { namespace, name, uid: 'u' } } : undefined),
      },
    );
    problems.update(table, [inUse, { key: 'other', message: 'EADDRINUSE' }, { key: 'gone', message: 'EADDRINUSE' }]);
    problems.update(table, [inUse]);
    const text = 'web Warning PortNotAvailable: 192.168.1.5:80/TCP of node n1 is in use by another program; it is opened when that ends';
    expect(said).toEqual([text]);
    problems.update(table, []);
    problems.update(table, [inUse, { key, message: 'EADDRNOTAVAIL' }]);
    expect(said).toEqual([text, text]);
  });
});
