import { describe, expect, it } from 'vitest';
import { snapshotPod, type PodSnapshot } from '../pod/pod-snapshot.ts';
import { hostPortsOf, renderHostPorts, readHostPorts } from './host-port.ts';

const podWith = (hostIP: string): PodSnapshot =>
  snapshotPod({
    metadata: { name: 'p', namespace: 'n', uid: 'u' },
    spec: { containers: [{ name: 'c', ports: [{ containerPort: 80, hostPort: 8080, hostIP }] }] },
  }) as PodSnapshot;

describe('host ports', () => {
  it.each(['', '0.0.0.0', '127.0.0.1', '192.168.0.1'])('are taken for address %j', (hostIP) => {
    expect(hostPortsOf(podWith(hostIP))).toEqual([{ hostIP, hostPort: 8080, containerPort: 80, protocol: 'TCP' }]);
  });
  it.each(['1.2.3.4/32 -j ACCEPT\n-A INPUT -j ACCEPT\n#', 'host', '127.0.0.1 '])('bring no other text into rules: %j', (hostIP) => {
    expect(() => hostPortsOf(podWith(hostIP))).toThrow('is not an IP address');
    const port = { hostIP, hostPort: 8080, containerPort: 80, protocol: 'TCP' } as const;
    expect(renderHostPorts([{ address: '10.0.0.2', ports: [port] }], 'l+', '10.0.0.1').prerouting).toEqual([]);
  });
});

it.each(['x', '1', 'null', '{}', '[1]', '[{"hostPort":1}]', '[{"hostIP":"; drop","hostPort":1,"containerPort":1,"protocol":"TCP"}]'])(
  'does not take %s for host ports',
  (text) => expect(readHostPorts(text)).toBeUndefined(),
);
it('reads host ports as they were noted', () => {
  const ports = [{ hostIP: '127.0.0.1', hostPort: 80, containerPort: 8080, protocol: 'UDP' }];
  expect(readHostPorts(JSON.stringify(ports))).toEqual(ports);
  expect(readHostPorts('[]')).toEqual([]);
});
