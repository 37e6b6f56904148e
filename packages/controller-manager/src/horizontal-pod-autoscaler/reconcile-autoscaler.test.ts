import { deployment, type HorizontalPodAutoscaler, type Pod } from '@skiff/api';
import { type KubeObject, type LabelMatcher, notFound, StatusError } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import { silentLogger } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import type { MetricSources } from './metric-sources.ts';
import { type AutoscalerDeps, AutoscalerRound } from './reconcile-autoscaler.ts';
import type { Scale } from './scale-target.ts';
import type { ScalingHistory } from './scaling-rules.ts';

const nowMs = Date.parse('2026-01-01T12:00:00Z');

const autoscaler = (spec: Partial<HorizontalPodAutoscaler['spec']> = {}): HorizontalPodAutoscaler => ({
  kind: 'HorizontalPodAutoscaler',
  apiVersion: 'autoscaling/v2',
  metadata: { name: 'web', namespace: 'ns', resourceVersion: '1' },
  spec: {
    scaleTargetRef: { apiVersion: 'apps/v1', kind: 'Deployment', name: 'web' },
    minReplicas: 1,
    maxReplicas: 5,
    metrics: [{ type: 'Resource', resource: { name: 'cpu', target: { type: 'Utilization', averageUtilization: 50 } } }],
    ...spec,
  },
});

const pod = (name: string, labels: Record<string, string> = { app: 'web' }): Pod => ({
  metadata: { name, namespace: 'ns', labels },
  spec: { containers: [{ name: 'main', resources: { requests: { cpu: '100m' } } }] },
  status: {
    phase: 'Running',
    startTime: '2026-01-01T11:00:00Z',
    conditions: [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T11:00:05Z' }],
  },
});

interface World {
  readonly scale?: Scale | undefined;
  readonly pods?: readonly Pod[];
  readonly cpu?: number;
  readonly external?: readonly number[];
  /** How many writes of the scale lose a race. */
  readonly conflicts?: number;
}

async function look(a: HorizontalPodAutoscaler, w: World = {}) {
  let scale: Scale | undefined =
    'scale' in w ? w.scale : { metadata: { name: 'web' }, spec: { replicas: 2 }, status: { replicas: 2, selector: 'app=web' } };
  let conflicts = w.conflicts ?? 0;
  const requests: string[] = [];
  const events: string[] = [];
  let status: HorizontalPodAutoscaler['status'];
  const fail = (error: StatusError) => ({ code: error.code, headers: {}, body: Buffer.from(JSON.stringify(error.toStatus())) });
  const client = {
    request: async ({ method, path, body }: { method: string; path: string; body?: unknown }) => {
      requests.push(`${method} ${path}`);
      await Promise.resolve();
      if (scale === undefined) return fail(notFound({ group: 'apps', resource: 'deployments' }, 'web'));
      if (method === 'PUT' && conflicts-- > 0) return fail(new StatusError('Conflict', 'changed'));
      if (method === 'PUT') scale = body as Scale;
      return { code: 200, headers: {}, body: Buffer.from(JSON.stringify(scale)) };
    },
    updateStatus: (_: unknown, object: KubeObject) => {
      ({ status } = object as HorizontalPodAutoscaler);
      return Promise.resolve(object);
    },
  } as unknown as Client;
  const pods = w.pods ?? [pod('a'), pod('b')];
  const nothing = (): Promise<never> => Promise.reject(new Error('no metrics returned from custom metrics API'));
  const sources: MetricSources = {
    resource: () =>
      w.cpu === undefined
        ? Promise.reject(new Error('no metrics returned from resource metrics API'))
        : Promise.resolve(new Map(pods.map((p) => [p.metadata?.name ?? '', { value: w.cpu ?? 0, atMs: nowMs, windowMs: 15_000 }]))),
    pods: nothing,
    object: nothing,
    external: () => Promise.resolve(w.external ?? []),
  };
  const selectors = new Map<string, LabelMatcher>();
  const deps: AutoscalerDeps = {
    sources,
    findResource: (group, kind) => Promise.resolve(group === 'apps' && kind === 'Deployment' ? deployment : undefined),
    events: { event: (_, type, reason, message) => void events.push(`${type} ${reason}: ${message}`) },
    listPods: () => pods,
    selectors,
    histories: new Map<string, ScalingHistory>(),
    nowMs: () => nowMs,
  };
  const config = {
    syncPeriodMs: 15_000,
    downscaleStabilizationMs: 300_000,
    tolerance: 0.1,
    cpuInitializationPeriodMs: 300_000,
    initialReadinessDelayMs: 30_000,
  };
  const again = async (other: HorizontalPodAutoscaler): Promise<void> => {
    await new AutoscalerRound(other, config, deps, { client, signal: new AbortController().signal, log: silentLogger }).run();
  };
  await again(a);
  const conditions = (): string[] => (status?.conditions ?? []).map((c) => `${c.type}=${c.status} ${c.reason}`);
  return { requests, events, status: () => status, conditions, replicas: () => scale?.spec?.replicas, again };
}

describe('an autoscaler', () => {
  it('makes its target larger, and says why', async () => {
    const w = await look(autoscaler(), { cpu: 100 });
    expect(w.replicas()).toBe(4);
    expect(w.events).toEqual([
      'Normal SuccessfulRescale: New size: 4; reason: cpu resource utilization (percentage of request) above target',
    ]);
    expect(w.conditions()).toEqual([
      'AbleToScale=True SucceededRescale',
      'ScalingActive=True ValidMetricFound',
      'ScalingLimited=False DesiredWithinRange',
    ]);
    expect(w.status()).toMatchObject({
      currentReplicas: 2,
      desiredReplicas: 4,
      lastScaleTime: '2026-01-01T12:00:00Z',
      currentMetrics: [{ type: 'Resource', resource: { name: 'cpu', current: { averageUtilization: 100, averageValue: '100m' } } }],
    });
  });

  it('tries again when somebody else has changed the target, but not for ever', async () => {
    const once = await look(autoscaler(), { cpu: 100, conflicts: 1 });
    expect(once.replicas()).toBe(4);
    const path = '/apis/apps/v1/namespaces/ns/deployments/web/scale';
    expect(once.requests).toEqual([`GET ${path}`, `PUT ${path}`, `GET ${path}`, `PUT ${path}`]);
    const lost = await look(autoscaler(), { cpu: 100, conflicts: 99 });
    expect(lost.events[0]).toMatch(/^Warning FailedRescale: New size: 4; reason: .* above target; error: changed$/);
    expect(lost.conditions()[0]).toBe('AbleToScale=False FailedUpdateScale');
  });

  it('does nothing where nothing is to be done', async () => {
    const w = await look(autoscaler(), { cpu: 52 });
    expect([w.replicas(), w.events]).toEqual([2, []]);
    expect(w.conditions()).toContain('AbleToScale=True ReadyForNewScale');
  });

  it.each([
    ['above', 9, 5, 'Current number of replicas above Spec.MaxReplicas'],
    ['below', 1, 3, 'Current number of replicas below Spec.MinReplicas'],
  ])('keeps to its bounds without looking at metrics: %s', async (_, replicas, expected, why) => {
    const w = await look(autoscaler({ minReplicas: 3 }), { scale: { spec: { replicas }, status: { selector: 'app=web' } } });
    expect(w.replicas()).toBe(expected);
    expect(w.events).toEqual([`Normal SuccessfulRescale: New size: ${expected}; reason: ${why}`]);
  });

  it('leaves alone what somebody has set to zero', async () => {
    const w = await look(autoscaler(), { scale: { spec: { replicas: 0 }, status: { selector: 'app=web' } }, cpu: 100 });
    expect(w.conditions()).toContain('ScalingActive=False ScalingDisabled');
    expect(w.replicas()).toBe(0);
  });

  it('says what it lacks', async () => {
    const gone = await look(autoscaler(), { scale: undefined });
    expect(gone.events).toEqual(['Warning FailedGetScale: deployments.apps "web" not found']);
    expect(gone.status()?.conditions?.[0]?.message).toBe(
      'the HPA controller was unable to get the target\'s current scale: deployments.apps "web" not found',
    );
    const unknown = await look(autoscaler({ scaleTargetRef: { apiVersion: 'x/v1', kind: 'Thing', name: 'web' } }));
    expect(unknown.events).toEqual(['Warning FailedGetScale: no matches for kind "Thing" in group "x"']);
    const unselective = await look(autoscaler(), { scale: { spec: { replicas: 2 } }, cpu: 100 });
    expect(unselective.events).toEqual([
      'Warning SelectorRequired: selector is required',
      'Warning FailedComputeMetricsReplicas: selector is required',
    ]);
    const silent = await look(autoscaler());
    expect(silent.conditions()).toContain('ScalingActive=False FailedGetResourceMetric');
    const why = 'failed to get cpu utilization: unable to get metrics for resource cpu: no metrics returned from resource metrics API';
    expect(silent.events).toEqual([
      `Warning FailedGetResourceMetric: ${why}`,
      `Warning FailedComputeMetricsReplicas: invalid metrics (1 invalid out of 1), first error is: failed to get cpu resource metric value: ${why}`,
    ]);
    expect(silent.status()?.conditions?.find((c) => c.type === 'ScalingActive')?.message).toBe(
      `the HPA was unable to compute the replica count: ${why}`,
    );
  });

  it('goes by the largest of its metrics, and by those it can read only when they want more pods', async () => {
    const external = { type: 'External', external: { metric: { name: 'queue' }, target: { type: 'AverageValue', averageValue: '10' } } };
    const cpu = autoscaler().spec.metrics?.[0] ?? { type: '' };
    const both = await look(autoscaler({ metrics: [cpu, external] }), { cpu: 60, external: [30_000, 20_000] });
    expect(both.replicas()).toBe(4);
    expect(both.events[0]).toBe('Normal SuccessfulRescale: New size: 4; reason: external metric queue(nil) above target');
    const up = await look(autoscaler({ metrics: [cpu, external] }), { external: [50_000] });
    expect(up.replicas()).toBe(4);
    const down = await look(autoscaler({ metrics: [cpu, external] }), { external: [1000] });
    expect(down.replicas()).toBe(2);
    expect(down.conditions()).toContain('ScalingActive=False FailedGetResourceMetric');
  });

  it('does not share its pods with another', async () => {
    const w = await look(autoscaler(), { cpu: 50 });
    await w.again({ ...autoscaler(), metadata: { name: 'other', namespace: 'ns' } });
    expect(w.events).toContain(
      'Warning AmbiguousSelector: pods by selector app=web are controlled by multiple HPAs: [{other ns} {web ns}]',
    );
  });

  it('has tolerances of its own, for each direction', async () => {
    const behavior = {
      scaleUp: {
        stabilizationWindowSeconds: 0,
        selectPolicy: 'Max',
        policies: [{ type: 'Pods', value: 4, periodSeconds: 15 }],
        tolerance: '0.5',
      },
      scaleDown: { selectPolicy: 'Max', policies: [{ type: 'Percent', value: 100, periodSeconds: 15 }] },
    };
    expect((await look(autoscaler({ behavior }), { cpu: 74 })).replicas()).toBe(2);
    expect((await look(autoscaler({ behavior }), { cpu: 76 })).replicas()).toBe(4);
  });
});
