import { describe, expect, it } from 'vitest';
import type { PodStatus } from '@skiff/api';
import { renderStatusPatch, statusDiffers } from './status-patch.ts';

const ready = (status: string): NonNullable<PodStatus['conditions']>[number] => ({
  type: 'Ready',
  status,
  lastProbeTime: null,
  lastTransitionTime: 't',
});

describe('status patch', () => {
  it('finds no difference in others’ conditions, probe times and empty objects', () => {
    const current: PodStatus = {
      phase: 'Running',
      conditions: [
        { type: 'example.com/gate', status: 'True' },
        { type: 'Ready', status: 'True', lastTransitionTime: 't' },
      ],
      containerStatuses: [{ name: 'a', ready: true, restartCount: 0, image: 'i', imageID: 'x' }],
    };
    const next: PodStatus = {
      phase: 'Running',
      conditions: [ready('True')],
      containerStatuses: [{ name: 'a', ready: true, restartCount: 0, image: 'i', imageID: 'x', lastState: {}, state: {}, resources: {} }],
    };
    expect(statusDiffers(current, next)).toBe(false);
    expect(statusDiffers(current, { ...next, phase: 'Failed' })).toBe(true);
  });

  it('never writes what others have said meanwhile', () => {
    const gate = (status: string) => ({ type: 'example.com/gate', status });
    const current: PodStatus = { phase: 'Running', conditions: [gate('False'), ready('True')] };
    const stale: PodStatus = { phase: 'Running', conditions: [gate('True'), ready('True')] };
    expect(statusDiffers(current, stale)).toBe(false);
    const next: PodStatus = { ...stale, conditions: [gate('True'), ready('False')] };
    expect(renderStatusPatch('u', current, next)).toEqual({ metadata: { uid: 'u' }, status: { conditions: [ready('False')] } });
  });

  it('sends what changed, removes what went away and deletes stale addresses', () => {
    const current: PodStatus = {
      phase: 'Pending',
      reason: 'Old',
      podIP: '10.0.0.1',
      podIPs: [{ ip: '10.0.0.1' }],
      hostIP: 'h',
      conditions: [{ ...ready('False'), reason: 'ContainersNotReady' }],
    };
    const next: PodStatus = { phase: 'Running', podIP: '10.0.0.2', podIPs: [{ ip: '10.0.0.2' }], hostIP: 'h', conditions: [ready('True')] };
    expect(renderStatusPatch('u', current, next)).toEqual({
      metadata: { uid: 'u' },
      status: {
        phase: 'Running',
        reason: null,
        podIP: '10.0.0.2',
        podIPs: [{ ip: '10.0.0.2' }, { $patch: 'delete', ip: '10.0.0.1' }],
        conditions: [{ ...ready('True'), reason: null }],
      },
    });
  });
});
