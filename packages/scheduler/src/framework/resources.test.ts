import { describe, expect, it } from 'vitest';
import { computePodRequests } from './resources.ts';
import { container, pod, type PodParts } from './test-objects.ts';

const sidecar = (requests: Record<string, string>, name = 'sidecar') => container(requests, { name, restartPolicy: 'Always' });
const init = (requests: Record<string, string>, name = 'init') => container(requests, { name });

describe('computePodRequests', () => {
  const cases: Record<string, [PodParts, { milliCpu?: number; memory?: number; scalar?: Record<string, number> }]> = {
    'containers add up': [
      { spec: { containers: [container({ cpu: '500m', memory: '1Ki' }), container({ cpu: '1' })] } },
      { milliCpu: 1500, memory: 1024 },
    ],
    'the largest init container counts when it is more': [
      { requests: { cpu: '1' }, spec: { initContainers: [init({ cpu: '3' }), init({ cpu: '2' })], containers: [container({ cpu: '1' })] } },
      { milliCpu: 3000 },
    ],
    'sidecars run beside the containers': [
      { spec: { initContainers: [sidecar({ cpu: '1' })], containers: [container({ cpu: '2' })] } },
      { milliCpu: 3000 },
    ],
    'an init container runs beside the sidecars before it': [
      {
        spec: {
          initContainers: [sidecar({ cpu: '1' }), init({ cpu: '3' }), sidecar({ cpu: '1' }, 'late')],
          containers: [container({ cpu: '1' })],
        },
      },
      { milliCpu: 4000 },
    ],
    'overhead comes on top': [
      { requests: { cpu: '1' }, spec: { containers: [container({ cpu: '1' })], overhead: { cpu: '250m' } } },
      { milliCpu: 1250 },
    ],
    'what the pod names as a whole wins': [
      { spec: { containers: [container({ cpu: '1', memory: '1Ki', 'example.com/gpu': '1' })], resources: { requests: { cpu: '2' } } } },
      { milliCpu: 2000, memory: 1024, scalar: { 'example.com/gpu': 1 } },
    ],
    'hugepages and extended resources': [
      { requests: { 'hugepages-2Mi': '4Mi', 'example.com/gpu': '2' } },
      { scalar: { 'hugepages-2Mi': 4 * 1024 * 1024, 'example.com/gpu': 2 } },
    ],
    'a resize counts with the largest figure': [
      {
        requests: { cpu: '1' },
        status: { containerStatuses: [status({ actual: '2', allocated: '3' })] },
      },
      { milliCpu: 3000 },
    ],
    'a wish that can not be met does not count': [
      {
        requests: { cpu: '8' },
        status: {
          conditions: [{ type: 'PodResizePending', status: 'True', reason: 'Infeasible' }],
          containerStatuses: [status({ actual: '2', allocated: '2' })],
        },
      },
      { milliCpu: 2000 },
    ],
  };
  it.each(Object.entries(cases))('%s', (_, [parts, expected]) => {
    const requests = computePodRequests(pod(parts));
    expect({ milliCpu: requests.milliCpu, memory: requests.memory, scalar: Object.fromEntries(requests.scalar) }).toEqual({
      milliCpu: 0,
      memory: 0,
      scalar: {},
      ...expected,
    });
  });

  it('assumes something for containers that name nothing, when asked to', () => {
    const requests = computePodRequests(pod({ spec: { containers: [container(), container({ cpu: '1' })] } }), { assumeMissing: true });
    expect(requests).toMatchObject({ milliCpu: 1100, memory: 2 * 200 * 1024 * 1024 });
  });
});

function status({ actual, allocated }: { actual: string; allocated: string }) {
  return {
    name: 'c',
    ready: true,
    restartCount: 0,
    image: '',
    imageID: '',
    resources: { requests: { cpu: actual } },
    allocatedResources: { cpu: allocated },
  };
}
