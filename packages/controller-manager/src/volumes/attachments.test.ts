import type { Node, PersistentVolume, PersistentVolumeClaim, Pod } from '@skiff/api';
import { describe, expect, it } from 'vitest';
import { attachmentName, isControlled, isExclusive, mayDetach, maxWaitForUnmountMs, volumeInUse, wantedVolumes } from './attachments.ts';

const volume: PersistentVolume = {
  metadata: { name: 'pv' },
  spec: {
    accessModes: ['ReadWriteOnce'],
    csi: { driver: 'd.example.com', volumeHandle: 'h' },
    claimRef: { namespace: 'ns', name: 'c', uid: 'u' },
  },
};
const claim = (phase: string): PersistentVolumeClaim => ({
  metadata: { namespace: 'ns', name: 'c', uid: 'u' },
  spec: { volumeName: 'pv' },
  status: { phase },
});
const pod = (name: string): Pod => ({ metadata: { namespace: 'ns', name } }) as Pod;
const name = attachmentName({ volumeHandle: 'h', driver: 'd.example.com', node: 'n' });

describe('wantedVolumes', () => {
  const wanted = (o: { phase?: string; attachRequired?: boolean }) =>
    wantedVolumes('n', [pod('a'), pod('b')], {
      claimsOf: () => [claim(o.phase ?? 'Bound')],
      volume: () => volume,
      driver: () => (o.attachRequired === undefined ? undefined : { spec: { attachRequired: o.attachRequired } }),
    });
  it('is one for each volume, whoever uses it, under the name that kubelets look for', () => {
    expect([...wanted({}).keys()]).toEqual([name]);
    expect(
      wanted({})
        .get(name)
        ?.pods.map((p) => p.metadata?.name),
    ).toEqual(['a', 'b']);
    expect(isControlled({ metadata: { name } } as never)).toBe(true);
    expect(isControlled({ metadata: { name: 'csi-by-hand' } } as never)).toBe(false);
  });
  it('leaves out what is not bound, and drivers that don’t attach', () => {
    expect(wanted({ phase: 'Pending' }).size).toBe(0);
    expect(wanted({ attachRequired: false }).size).toBe(0);
    expect(wanted({ attachRequired: true }).size).toBe(1);
  });
});

describe('mayDetach', () => {
  const node = (o: { inUse?: boolean; ready?: boolean; taint?: string }): Node => ({
    spec: { taints: o.taint === undefined ? [] : [{ key: o.taint, effect: 'NoExecute' }] },
    status: {
      volumesInUse: o.inUse === true ? ['v'] : [],
      conditions: [{ type: 'Ready', status: o.ready === false ? 'Unknown' : 'True' }],
    } as NonNullable<Node['status']>,
  });
  it.each([
    ['not mounted', node({}), 0, true],
    ['mounted', node({ inUse: true }), maxWaitForUnmountMs * 2, false],
    ['mounted on a silent node', node({ inUse: true, ready: false }), 1000, false],
    ['mounted on a node that was silent for long', node({ inUse: true, ready: false }), maxWaitForUnmountMs, true],
    ['out of service', node({ inUse: true, ready: false, taint: 'node.kubernetes.io/out-of-service' }), 0, true],
    ['no node', undefined, 0, false],
    ['no node for long', undefined, maxWaitForUnmountMs, true],
  ] as const)('%s', (_, where, forMs, expected) => expect(mayDetach(where, where?.status?.volumesInUse?.[0], forMs).detach).toBe(expected));
});

it('isExclusive', () => {
  expect(isExclusive(volume)).toBe(true);
  expect(isExclusive({ spec: { accessModes: ['ReadWriteOnce', 'ReadOnlyMany'] } })).toBe(false);
});

it('volumeInUse knows a volume by its attachment, without its PersistentVolume', () => {
  const node = (...volumesInUse: string[]) => ({ status: { volumesInUse } }) as Node;
  const attachment = { metadata: { name }, spec: { attacher: 'd.example.com', nodeName: 'n', source: { persistentVolumeName: 'pv' } } };
  expect(volumeInUse(node('kubernetes.io/csi/d.example.com^other', 'kubernetes.io/csi/d.example.com^h'), attachment)).toBe(
    'kubernetes.io/csi/d.example.com^h',
  );
  expect(volumeInUse(node('kubernetes.io/csi/d.example.com^other', 'kubernetes.io/nfs/h'), attachment)).toBeUndefined();
  expect(volumeInUse(undefined, attachment)).toBeUndefined();
});
