import { FakeClock } from '@skiff/component-base';
import { RuntimeError } from '@skiff/cri';
import { createFakeRuntime } from '@skiff/cri/fake';
import { expect, it } from 'vitest';
import { createKubeletMetrics } from './kubelet-metrics.ts';
import { measureRuntime } from './measured-runtime.ts';

it('operations of the runtime are counted, those that fail too', async () => {
  const clock = new FakeClock();
  const metrics = createKubeletMetrics({ nodeName: 'n', startedAtMs: 0 });
  const fake = createFakeRuntime({ clock });
  const runtime = measureRuntime(fake.runtime, metrics, () => clock.monotonicMs());
  await runtime.listContainers();
  await expect(runtime.containerStatus('none')).rejects.toBeInstanceOf(RuntimeError);
  const text = await metrics.render();
  expect(text).toContain('kubelet_runtime_operations_total{operation_type="list_containers"} 1');
  expect(text).toContain('kubelet_runtime_operations_errors_total{operation_type="container_status"} 1');
});

it('probes are counted until their pod is gone', async () => {
  const metrics = createKubeletMetrics({ nodeName: 'n', startedAtMs: 0 });
  const [one, two] = ['one', 'two'].map((name) => ({ namespace: 'ns', name, uid: name }));
  if (one === undefined || two === undefined) throw new Error('unreachable');
  for (const pod of [one, two, two]) metrics.probe(pod, { container: 'c', type: 'liveness', result: 'successful', seconds: 0.01 });
  expect(await metrics.renderProbes()).toContain(
    'prober_probe_total{probe_type="Liveness",container="c",pod="two",namespace="ns",result="successful",pod_uid="two"} 2',
  );
  metrics.forgetPod(two);
  const left = await metrics.renderProbes();
  expect(left).not.toContain('pod="two"');
  expect(left).toContain('prober_probe_duration_seconds_count{probe_type="Liveness",container="c",pod="one",namespace="ns"} 1');
});
