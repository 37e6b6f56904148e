import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connect, eventually, type RunningCluster } from './support/cluster.ts';
import { testImages } from './support/images.ts';
import { get } from './support/http.ts';

let cluster: RunningCluster;
const ns = 'story-rollout';
beforeAll(async () => {
  cluster = connect(inject('place'));
  await cluster.kubectl(`create namespace ${ns}`);
});
afterAll(async () => {
  await cluster.tryKubectl(`delete namespace ${ns} --wait=false`);
  cluster.client.close();
});

describe('a rolling update under load', () => {
  it('loses no new connection, with no preStop in the manifest; undo brings the old version back', async () => {
    await cluster.kubectl(`create deployment web -n ${ns} --image=${testImages.web1} --replicas=4 --port=8080`);
    await cluster.kubectl(`expose deployment web -n ${ns} --port=80 --target-port=8080`);
    await cluster.kubectl(
      `patch deployment web -n ${ns} -p '{"spec":{"template":{"spec":{"containers":[{"name":"web","readinessProbe":{"httpGet":{"path":"/healthz","port":8080},"periodSeconds":1}}]}}}}'`,
    );
    await cluster.kubectl(`rollout status -n ${ns} deployment/web --timeout=120s`, { timeoutMs: 130_000 });
    const ip = await cluster.kubectl(`get service -n ${ns} web -o jsonpath={.spec.clusterIP}`);
    const failures: string[] = [];
    const versions = new Map<string, number>();
    const open = new Set<Promise<void>>();
    const timer = setInterval(() => {
      // Lost is what is refused or cut off; a busy machine may be slow.
      const one = get(`http://${ip}/`, 30_000).then(
        ([version = '']) => void versions.set(version, (versions.get(version) ?? 0) + 1),
        (error: Error) => void failures.push(error.message),
      );
      open.add(one);
      void one.finally(() => open.delete(one));
    }, 10);
    try {
      await cluster.kubectl(`set image -n ${ns} deployment/web web=${testImages.web2}`);
      await cluster.kubectl(`rollout status -n ${ns} deployment/web --timeout=120s`, { timeoutMs: 130_000 });
      await cluster.kubectl(`rollout undo -n ${ns} deployment/web`);
      await cluster.kubectl(`rollout status -n ${ns} deployment/web --timeout=120s`, { timeoutMs: 130_000 });
    } finally {
      clearInterval(timer);
    }
    await Promise.all(open);
    const total = [...versions.values()].reduce((a, b) => a + b, 0);
    console.log(
      `rolling update: ${total} answers (${[...versions].map(([v, n]) => `v${v}: ${n}`).join(', ')}), ${failures.length} failures`,
    );
    expect(failures).toEqual([]);
    expect(versions.get('1')).toBeGreaterThan(0);
    expect(versions.get('2')).toBeGreaterThan(0);
    // Pods of v2 that were just told to end may be asked for a moment longer.
    await eventually('v1 alone answers', async () => {
      const answers = await Promise.all(Array.from({ length: 20 }, () => get(`http://${ip}/`)));
      return answers.every(([version]) => version === '1');
    });
    const history = await cluster.kubectl(`rollout history -n ${ns} deployment/web`);
    expect(history.trim().split('\n').length).toBeGreaterThanOrEqual(4);
  });
});
