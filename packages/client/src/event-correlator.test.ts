import type { Event } from '@skiff/api';
import { FakeClock } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { createEventCorrelator } from './event-correlator.ts';

let serial = 0;
const event = (message: string, name = 'pod'): Event => ({
  metadata: { namespace: 'ns', name: `${name}.${serial++}` },
  involvedObject: { kind: 'Pod', namespace: 'ns', name, uid: name },
  reason: 'Failed',
  message,
  type: 'Warning',
  source: { component: 'test' },
});

describe('event correlator', () => {
  it('counts equal events on the first one', async () => {
    const clock = new FakeClock();
    const correlator = createEventCorrelator(clock);
    const first = correlator.correlate(event('a'));
    await clock.advance(5000);
    const second = correlator.correlate(event('a'));
    expect([first?.action, second?.action]).toEqual(['create', 'patch']);
    expect(second?.event).toMatchObject({ count: 2, firstTimestamp: first?.event.firstTimestamp, lastTimestamp: '2026-01-01T00:00:05Z' });
    expect(second?.event.metadata.name).toBe(first?.event.metadata.name);
  });

  it('combines from the tenth different message on, until ten quiet minutes have passed', async () => {
    const clock = new FakeClock();
    const correlator = createEventCorrelator(clock);
    const results = Array.from({ length: 12 }, (_, i) => correlator.correlate(event(`message ${i}`)));
    expect(results.slice(0, 9).every((r) => r?.action === 'create' && r.event.message?.startsWith('message'))).toBe(true);
    expect(results.slice(9).map((r) => [r?.action, r?.event.message, r?.event.count])).toEqual([
      ['create', '(combined from similar events): message 9', 1],
      ['patch', '(combined from similar events): message 10', 2],
      ['patch', '(combined from similar events): message 11', 3],
    ]);
    await clock.advance(601_000);
    expect(correlator.correlate(event('message 20'))?.event.message).toBe('message 20');
  });

  it('lets a subject have 25 at once and one more every five minutes', async () => {
    const clock = new FakeClock();
    const correlator = createEventCorrelator(clock);
    const sent = (): boolean => correlator.correlate(event('same')) !== undefined;
    expect(Array.from({ length: 30 }, sent).filter(Boolean)).toHaveLength(25);
    expect(correlator.correlate(event('same', 'other'))).toBeDefined();
    await clock.advance(300_000);
    expect([sent(), sent()]).toEqual([true, false]);
  });
});
