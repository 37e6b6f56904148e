import { describe, expect, it } from 'vitest';
import { fakePod, snapshot } from './pod-context.fixture.ts';
import { isCriticalPod, isStaticPod } from './pod-snapshot.ts';

const annotations = { 'kubernetes.io/config.source': 'file' };

describe('static pods', () => {
  it('are those from files, not pods of the API that say so', () => {
    const fromFile = snapshot(fakePod({}, { annotations }));
    const fromApi = snapshot(fakePod({}, { annotations, resourceVersion: '5' }));
    expect([isStaticPod(fromFile), isCriticalPod(fromFile)]).toEqual([true, true]);
    expect([isStaticPod(fromApi), isCriticalPod(fromApi)]).toEqual([false, false]);
  });
});
