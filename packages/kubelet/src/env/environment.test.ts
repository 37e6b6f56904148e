import { describe, expect, it } from 'vitest';
import type { Container, Service } from '@skiff/api';
import { snapshotPod, type PodSnapshot } from '../pod/pod-snapshot.ts';
import { makeEnvironment, type ReferencedObjects } from './environment.ts';
import { formatStringMap, readPodField } from './field-ref.ts';
import { readResourceField } from './resource-field-ref.ts';
import { renderServiceEnv } from './service-env.ts';

const container: Container = {
  name: 'c',
  resources: { limits: { cpu: '1500m', memory: '100Mi' }, requests: { cpu: '250m' } },
  envFrom: [
    { configMapRef: { name: 'cm' } },
    { prefix: 'P_', secretRef: { name: 's' } },
    { configMapRef: { name: 'none', optional: true } },
  ],
  env: [
    { name: 'A', value: 'a' },
    { name: 'B', value: '$(A)-$(FROM)-$(KUBERNETES_SERVICE_HOST)-$(NOPE)' },
    { name: 'NAME', valueFrom: { fieldRef: { fieldPath: 'metadata.name' } } },
    { name: 'CPU', valueFrom: { resourceFieldRef: { resource: 'limits.cpu' } } },
    { name: 'SECRET', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } },
    { name: 'LEFT_OUT', valueFrom: { configMapKeyRef: { name: 'none', key: 'k', optional: true } } },
  ],
};
const pod = snapshotPod({
  metadata: { name: 'p', namespace: 'n', uid: 'u', labels: { b: '2', a: '1' }, annotations: { q: 'say "x"\n' } },
  spec: { nodeName: 'node', serviceAccountName: 'sa', containers: [container] },
}) as PodSnapshot;
const objects: ReferencedObjects = {
  configMap: async (_ns, name) => (name === 'cm' ? { data: { FROM: 'cm' } } : undefined),
  secret: async (_ns, name) => (name === 's' ? { data: { k: Buffer.from('väl').toString('base64') } } : undefined),
};
const addresses = { podIPs: ['10.0.0.2'], hostIPs: ['192.168.0.1'] };
const kubernetes: Service = {
  metadata: { name: 'kubernetes', namespace: 'default' },
  spec: { clusterIP: '10.96.0.1', ports: [{ name: 'https', port: 443, protocol: 'TCP' }] },
};
const web: Service = { metadata: { name: 'my-web', namespace: 'n' }, spec: { clusterIP: '10.96.0.9', ports: [{ port: 80 }] } };

describe('environment', () => {
  it('takes values from every source, own ones last', async () => {
    const serviceEnv = renderServiceEnv([kubernetes], 'n', false);
    const env = await makeEnvironment({ pod, container, addresses, allocatable: { memory: '1Gi' }, serviceEnv, objects });
    expect(Object.fromEntries(env)).toMatchObject({
      FROM: 'cm',
      P_k: 'väl',
      A: 'a',
      B: 'a-cm-10.96.0.1-$(NOPE)',
      NAME: 'p',
      CPU: '2',
      SECRET: 'väl',
      KUBERNETES_SERVICE_HOST: '10.96.0.1',
      KUBERNETES_SERVICE_PORT_HTTPS: '443',
      KUBERNETES_PORT_443_TCP: 'tcp://10.96.0.1:443',
    });
    expect(env.has('LEFT_OUT')).toBe(false);
  });

  it('says what is missing, in upstream’s words', async () => {
    const base = { pod, addresses, allocatable: {}, serviceEnv: new Map<string, string>(), objects };
    const make = (env: Container['env']): Promise<unknown> => makeEnvironment({ ...base, container: { name: 'c', env: env ?? [] } });
    await expect(make([{ name: 'X', valueFrom: { configMapKeyRef: { name: 'cm', key: 'none' } } }])).rejects.toThrow(
      "couldn't find key none in ConfigMap n/cm",
    );
    await expect(make([{ name: 'X', valueFrom: { secretKeyRef: { name: 'none', key: 'k' } } }])).rejects.toThrow('secret "none" not found');
  });

  it('gives service links only where they are wanted', () => {
    expect(renderServiceEnv([kubernetes, web], 'n', true).get('MY_WEB_SERVICE_HOST')).toBe('10.96.0.9');
    expect(renderServiceEnv([kubernetes, web], 'n', false).has('MY_WEB_SERVICE_HOST')).toBe(false);
    expect(renderServiceEnv([{ ...web, spec: { clusterIP: 'None' } }], 'n', true).size).toBe(0);
  });

  it('reads fields and resources', () => {
    expect(readPodField(pod, "metadata.labels['a']", addresses)).toBe('1');
    expect(readPodField(pod, 'status.podIPs', addresses)).toBe('10.0.0.2');
    expect(formatStringMap(pod.metadata.labels)).toBe('a="1"\nb="2"');
    expect(formatStringMap(pod.metadata.annotations)).toBe('q="say \\"x\\"\\n"');
    const read = (resource: string, divisor?: string): string =>
      readResourceField({ resource, ...(divisor === undefined ? {} : { divisor }) }, pod, { container, allocatable: { cpu: '4' } });
    expect([
      read('limits.cpu', '1m'),
      read('limits.memory', '1Mi'),
      read('limits.memory'),
      read('requests.cpu', '1m'),
      read('requests.memory'),
    ]).toEqual(['1500', '100', '104857600', '250', '0']);
    const bare = { container: { name: 'c' }, allocatable: { cpu: '4', memory: '8Gi' } };
    const whole: PodSnapshot = { ...pod, spec: { ...pod.spec, resources: { limits: { cpu: '1250m' } } } };
    const limits = ['limits.cpu', 'limits.memory'].map((resource) => readResourceField({ resource }, whole, bare));
    expect(limits).toEqual(['2', String(8 * 1024 ** 3)]);
  });

  it('reads files of variables, and lines however long at once', async () => {
    const spaces = ' '.repeat(60_000);
    const text = `# A=no\nA = "a b" \n B='\nC=x=y\nno line\n=none\nword${spaces}word\nD=d${spaces}e\n`;
    const keys = ['A', 'B', 'C', 'D'];
    const env = keys.map((key) => ({ name: key, valueFrom: { fileKeyRef: { volumeName: 'v', path: 'f', key } } }));
    const before = process.cpuUsage();
    const found = await makeEnvironment({
      pod,
      addresses,
      allocatable: {},
      serviceEnv: new Map(),
      objects,
      container: { name: 'c', env },
      readVolumeFile: async () => text,
    });
    // Of CPU, which others on the machine do not stretch as they do the clock.
    expect(process.cpuUsage(before).user / 1000).toBeLessThan(1000);
    expect(Object.fromEntries(found)).toEqual({ A: 'a b', B: "'", C: 'x=y', D: `d${spaces}e` });
  });
});
