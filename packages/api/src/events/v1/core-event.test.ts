import { describe, expect, it } from 'vitest';
import { fromCoreEvent, toCoreEvent } from './core-event.ts';

const old = {
  kind: 'Event',
  apiVersion: 'v1',
  metadata: { name: 'a.1', namespace: 'default' },
  involvedObject: { kind: 'Pod', name: 'a' },
  message: 'started',
  source: { component: 'kubelet' },
  firstTimestamp: '2026-01-01T00:00:00Z',
  lastTimestamp: '2026-01-01T00:00:00Z',
  count: 2,
  eventTime: null,
  reportingComponent: 'kubelet',
  reportingInstance: 'n1',
  type: 'Normal',
};

describe('Events of both groups', () => {
  it('are the same objects under other names', () => {
    const renamed = fromCoreEvent(old);
    expect(renamed).toMatchObject({ apiVersion: 'events.k8s.io/v1', regarding: { name: 'a' }, note: 'started', deprecatedCount: 2 });
    expect(renamed).not.toHaveProperty('involvedObject');
    expect(toCoreEvent(renamed)).toEqual(old);
  });
});
