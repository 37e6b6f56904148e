import { describe, expect, it } from 'vitest';
import type { PodSpec } from '@skiff/api';
import { fakePod, snapshot } from '../pod/pod-context.fixture.ts';
import type { PodUsage } from '../stats/pod-usage.ts';
import { describeEviction } from './eviction-message.ts';
import { exceededStorageLimit, hasStorageLimits } from './local-storage.ts';
import { rankVictims } from './rank.ts';

const mi = 1024 ** 2;
const pod = (name: string, spec: Partial<PodSpec> = {}) => snapshot(fakePod(spec, { name, uid: name }));
const asking = (requests: Record<string, string>): Partial<PodSpec> => ({ containers: [{ name: 'c', resources: { requests } }] });
const usage = (o: Partial<PodUsage> & { diskBytes?: number; logBytes?: number }): PodUsage => ({
  memoryBytes: 0,
  processes: 0,
  volumes: new Map(),
  containers: new Map([['c', { memoryBytes: o.memoryBytes ?? 0, diskBytes: o.diskBytes ?? 0, logBytes: o.logBytes ?? 0 }]]),
  ...o,
});

describe('rankVictims', () => {
  const order = (
    signal: Parameters<typeof rankVictims>[1],
    all: [ReturnType<typeof pod>, PodUsage | undefined][],
    dedicatedImageFs = false,
  ) =>
    rankVictims(
      all.map(([p]) => p),
      signal,
      { usage: (p) => all.find(([other]) => other === p)?.[1], dedicatedImageFs },
    ).map((p) => p.metadata.name);

  it('memory: beyond the request, then priority, then by how much', () => {
    expect(
      order('memory.available', [
        [pod('within', asking({ memory: '500Mi' })), usage({ memoryBytes: 400 * mi })],
        [pod('little', asking({ memory: '100Mi' })), usage({ memoryBytes: 110 * mi })],
        [pod('much', asking({ memory: '100Mi' })), usage({ memoryBytes: 200 * mi })],
        [pod('important', { ...asking({ memory: '1Mi' }), priority: 1000 }), usage({ memoryBytes: 900 * mi })],
        [pod('unknown'), undefined],
      ]),
    ).toEqual(['unknown', 'much', 'little', 'important', 'within']);
  });
  it('processes: priority, then how many', () => {
    expect(
      order('pid.available', [
        [pod('few'), usage({ processes: 3 })],
        [pod('bomb'), usage({ processes: 9000 })],
        [pod('important', { priority: 5 }), usage({ processes: 99_999 })],
      ]),
    ).toEqual(['bomb', 'few', 'important']);
  });
  it('disk: what lies on the disk that is short', () => {
    const layers = usage({ disk: { writable: 900 * mi, logs: 0, volumes: 0 } });
    const volumes = usage({ disk: { writable: 0, logs: 100 * mi, volumes: 200 * mi } });
    const all: [ReturnType<typeof pod>, PodUsage][] = [
      [pod('layers'), layers],
      [pod('volumes'), volumes],
    ];
    expect(order('nodefs.available', all)).toEqual(['layers', 'volumes']);
    expect(order('nodefs.available', all, true)).toEqual(['volumes', 'layers']);
    expect(order('imagefs.available', all, true)).toEqual(['layers', 'volumes']);
  });
});

it("describeEviction says who used what, in upstream's words", () => {
  const p = pod('p', asking({ memory: '100Mi' }));
  const text = describeEviction(p, 'memory', {
    acting: [{ signal: 'memory.available', value: { quantity: '100Mi' }, graceMs: 0 }],
    seen: new Map([['memory.available', { available: 50 * mi, capacity: 1000 * mi }]]),
    usage: usage({ memoryBytes: 150 * mi }),
  });
  expect(text.message).toBe(
    'The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. ' +
      'Container c was using 150Mi, request is 100Mi, has larger consumption of memory. ',
  );
  expect(text.annotations).toEqual({ offending_containers: 'c', offending_containers_usage: '150Mi', starved_resource: 'memory' });
});

describe('limits of local storage', () => {
  const limited = (limits: Record<string, string>, over: Partial<PodSpec> = {}) =>
    pod('p', { containers: [{ name: 'c', resources: { limits } }], ...over });
  const cache = { volumes: [{ name: 'cache', emptyDir: { sizeLimit: '10Mi' } }] };
  const check = (p: ReturnType<typeof pod>, u: PodUsage) => exceededStorageLimit(p, u, { dedicatedImageFs: false });

  it.each<[string, ReturnType<typeof pod>, PodUsage, string | undefined]>([
    ['within', limited({}, cache), usage({ volumes: new Map([['cache', 10 * mi]]) }), undefined],
    [
      'an emptyDir',
      limited({}, cache),
      usage({ volumes: new Map([['cache', 11 * mi]]) }),
      'Usage of EmptyDir volume "cache" exceeds the limit "10Mi". ',
    ],
    [
      'the pod',
      limited({ 'ephemeral-storage': '100Mi' }),
      usage({ disk: { writable: 50 * mi, logs: 20 * mi, volumes: 31 * mi } }),
      'Pod ephemeral local storage usage exceeds the total limit of containers 100Mi. ',
    ],
    [
      'one container',
      limited(
        { 'ephemeral-storage': '1Mi' },
        {
          containers: [
            { name: 'c', resources: { limits: { 'ephemeral-storage': '1Mi' } } },
            { name: 'd', resources: { limits: { 'ephemeral-storage': '10Mi' } } },
          ],
        },
      ),
      usage({ diskBytes: 2 * mi, disk: { writable: 2 * mi, logs: 0, volumes: 0 } }),
      'Container c exceeded its local ephemeral storage limit "1Mi". ',
    ],
  ])('%s', (_name, p, u, expected) => {
    expect(check(p, u)).toBe(expected);
  });
  it('are known before anything is measured', () => {
    expect([
      hasStorageLimits(pod('p')),
      hasStorageLimits(limited({}, cache)),
      hasStorageLimits(limited({ 'ephemeral-storage': '1Gi' })),
    ]).toEqual([false, true, true]);
  });
});
