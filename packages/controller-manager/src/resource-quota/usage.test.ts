import type { Pod, ResourceQuota, Service } from '@skiff/api';
import { expect, it } from 'vitest';
import { computeQuotaStatus, evaluatorsOf, givesBack, sameQuotaStatus, withoutGivingBack } from './usage.ts';

const quota: ResourceQuota = {
  metadata: { name: 'q', namespace: 'a' },
  spec: { hard: { pods: '5', 'requests.memory': '1Gi', 'services.nodeports': '3', 'count/jobs.batch': '2', 'example.com/none': '1' } },
  status: { used: { pods: '4', other: '1' } },
};
const pod = (memory: string, phase = 'Running'): Pod => ({
  metadata: { name: 'p', namespace: 'a' },
  spec: { containers: [{ name: 'c', resources: { requests: { memory } } }] },
  status: { phase },
});
const services: Service[] = [{ spec: { type: 'NodePort', ports: [{ port: 1 }, { port: 2 }] } }, { spec: { type: 'ClusterIP' } }];

it('adds up what is there, by the names that the quota has', () => {
  const objects: Record<string, object[]> = {
    '/pods': [pod('100Mi'), pod('200Mi'), pod('1Gi', 'Succeeded')],
    '/services': services,
    'batch/jobs': [{}],
  };
  const status = computeQuotaStatus(quota, (e) => objects[`${e.group}/${e.resource}`] ?? [], 0);
  expect(evaluatorsOf(quota).map((e) => `${e.group}/${e.resource}`)).toEqual(['/pods', '/services', 'batch/jobs']);
  expect(status).toEqual({
    hard: quota.spec?.hard,
    used: { pods: '2', 'requests.memory': '300Mi', 'services.nodeports': '2', 'count/jobs.batch': '1' },
  });
  expect(sameQuotaStatus(quota.status, status)).toBe(false);
  expect(givesBack(quota.status, status)).toBe(true);
  expect(withoutGivingBack(quota.status, status).used).toMatchObject({ pods: '4', 'requests.memory': '300Mi' });
  expect(sameQuotaStatus({ ...status, used: { ...status.used, 'requests.memory': '307200Ki' } }, status)).toBe(true);
});
