import { isDeepStrictEqual } from 'node:util';
import { horizontalPodAutoscaler, type HorizontalPodAutoscaler, type Pod } from '@skiff/api';
import { type DeepReadonly, hasReason, type LabelMatcher, parseLabelSelector } from '@skiff/apimachinery';
import type { EventRecorder, ReconcileContext } from '@skiff/client';
import { formatTime } from '@skiff/component-base';
import type { FindResource } from '../find-resource.ts';
import { MetricError, type MetricStatus, type ProposalDeps, proposeForMetric, type ScaledTarget, tolerancesOf } from './metric-proposal.ts';
import { type ScaleTarget, openScaleTarget } from './scale-target.ts';
import {
  type Behavior,
  type Bounds,
  newHistory,
  type Normalized,
  normalizeByRules,
  normalizePlainly,
  noteScaling,
  type ScalingHistory,
} from './scaling-rules.ts';

export interface AutoscalerConfig {
  /** How often each autoscaler is looked at. */
  readonly syncPeriodMs: number;
  /** What was recommended within it is not gone below. */
  readonly downscaleStabilizationMs: number;
  /** Share of the target within which nothing is done. */
  readonly tolerance: number;
  readonly cpuInitializationPeriodMs: number;
  readonly initialReadinessDelayMs: number;
}

export interface AutoscalerDeps extends Omit<ProposalDeps, 'timing'> {
  readonly findResource: FindResource;
  readonly events: EventRecorder;
  readonly listPods: (namespace: string) => readonly DeepReadonly<Pod>[];
  /** Autoscalers with the pods that others choose, by `namespace/name`. */
  readonly selectors: Map<string, LabelMatcher>;
  readonly histories: Map<string, ScalingHistory>;
}

type Autoscaler = DeepReadonly<HorizontalPodAutoscaler>;
type Status = NonNullable<HorizontalPodAutoscaler['status']>;
type Condition = NonNullable<Status['conditions']>[number];
type ConditionType = 'AbleToScale' | 'ScalingActive' | 'ScalingLimited';

const errorText = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** One look at one autoscaler. */
export class AutoscalerRound {
  readonly #a: Autoscaler;
  readonly #key: string;
  readonly #config: AutoscalerConfig;
  readonly #deps: AutoscalerDeps;
  readonly #context: Pick<ReconcileContext, 'client' | 'signal' | 'log'>;
  #conditions: Condition[];

  constructor(
    autoscaler: Autoscaler,
    config: AutoscalerConfig,
    deps: AutoscalerDeps,
    context: Pick<ReconcileContext, 'client' | 'signal' | 'log'>,
  ) {
    this.#a = autoscaler;
    this.#key = `${autoscaler.metadata?.namespace ?? ''}/${autoscaler.metadata?.name ?? ''}`;
    this.#config = config;
    this.#deps = deps;
    this.#context = context;
    this.#conditions = structuredClone(autoscaler.status?.conditions ?? []) as Condition[];
  }

  async run(): Promise<void> {
    let target: ScaleTarget;
    try {
      target = await openScaleTarget(
        this.#a,
        { client: this.#context.client, findResource: this.#deps.findResource },
        this.#context.signal,
      );
    } catch (error) {
      if (this.#context.signal.aborted) throw error;
      this.#warn('FailedGetScale', errorText(error));
      this.#say(
        'AbleToScale',
        'False',
        'FailedGetScale',
        `the HPA controller was unable to get the target's current scale: ${errorText(error)}`,
      );
      await this.#write(this.#a.status ?? { desiredReplicas: 0 });
      return;
    }
    this.#say('AbleToScale', 'True', 'SucceededGetScale', "the HPA controller was able to get the target's current scale");
    await this.#scale(target);
  }

  async #scale(target: ScaleTarget): Promise<void> {
    const { spec } = this.#a;
    const current = target.scale.spec?.replicas ?? 0;
    const bounds: Bounds = { current, min: spec.minReplicas ?? 1, max: spec.maxReplicas };
    const nowMs = this.#deps.nowMs();
    let history = this.#deps.histories.get(this.#key);
    if (history === undefined) this.#deps.histories.set(this.#key, (history = newHistory(current, nowMs)));
    let desired = current;
    let why = '';
    let metrics: readonly MetricStatus[] = [];
    if (current === 0) {
      this.#say('ScalingActive', 'False', 'ScalingDisabled', 'scaling is disabled since the replica count of the target is zero');
    } else if (current > bounds.max) {
      [desired, why] = [bounds.max, 'Current number of replicas above Spec.MaxReplicas'];
    } else if (current < bounds.min) {
      [desired, why] = [bounds.min, 'Current number of replicas below Spec.MinReplicas'];
    } else {
      const found = await this.#propose(target);
      metrics = found.statuses;
      if (found.replicas === undefined) {
        await this.#write(this.#statusOf(current, this.#a.status?.desiredReplicas ?? 0, metrics));
        this.#warn('FailedComputeMetricsReplicas', found.error);
        return;
      }
      if (found.replicas > current) why = `${found.metric} above target`;
      else if (found.replicas < current) why = 'All metrics below target';
      desired = this.#normalize(history, found.replicas, bounds, nowMs);
    }
    if (desired === current) return await this.#write(this.#statusOf(current, current, metrics));
    await this.#resize(target, { current, desired, why, metrics, history });
  }

  async #resize(
    target: ScaleTarget,
    o: { current: number; desired: number; why: string; metrics: readonly MetricStatus[]; history: ScalingHistory },
  ): Promise<void> {
    const { current, desired, why, metrics } = o;
    try {
      await target.resize(desired, this.#context.signal);
    } catch (error) {
      this.#warn('FailedRescale', `New size: ${desired}; reason: ${why}; error: ${errorText(error)}`);
      this.#say(
        'AbleToScale',
        'False',
        'FailedUpdateScale',
        `the HPA controller was unable to update the target scale: ${errorText(error)}`,
      );
      return await this.#write(this.#statusOf(current, this.#a.status?.desiredReplicas ?? 0, metrics));
    }
    this.#say('AbleToScale', 'True', 'SucceededRescale', `the HPA controller was able to update the target scale to ${desired}`);
    this.#deps.events.event(this.#a, 'Normal', 'SuccessfulRescale', `New size: ${desired}; reason: ${why}`);
    this.#context.log.info({ current, desired, why }, 'rescaled');
    const { behavior } = this.#a.spec;
    if (behavior?.scaleUp !== undefined && behavior.scaleDown !== undefined)
      noteScaling(o.history, behavior as Behavior, current, desired, this.#deps.nowMs());
    await this.#write({ ...this.#statusOf(current, desired, metrics), lastScaleTime: formatTime(this.#deps.nowMs()) });
  }

  /** The largest number that a metric asks for. Where one can't be read, the others count only if they want more pods. */
  async #propose(
    target: ScaleTarget,
  ): Promise<{ statuses: MetricStatus[]; error: string } & ({ replicas: number; metric: string } | { replicas: undefined })> {
    const { spec, metadata } = this.#a;
    const specs = spec.metrics ?? [];
    const scaled = this.#chosenPods(target);
    const statuses: MetricStatus[] = specs.map(() => ({ type: '' }));
    if (typeof scaled === 'string') return { statuses: [], error: scaled, replicas: undefined };
    const { findResource, nowMs, sources } = this.#deps;
    const context = {
      findResource,
      nowMs,
      sources,
      timing: this.#config,
      signal: this.#context.signal,
      target: { ...scaled, namespace: metadata?.namespace ?? '', tolerances: tolerancesOf(this.#a, this.#config.tolerance) },
    };
    let best: { replicas: number; metric: string } = { replicas: 0, metric: '' };
    const failures: MetricError[] = [];
    for (const [i, metric] of specs.entries()) {
      try {
        const proposal = await proposeForMetric(context, metric);
        statuses[i] = proposal.status;
        if (best.replicas === 0 || proposal.replicas > best.replicas) best = { replicas: proposal.replicas, metric: proposal.name };
      } catch (error) {
        if (this.#context.signal.aborted || !(error instanceof MetricError)) throw error;
        this.#warn(error.reason, error.detail);
        failures.push(error);
      }
    }
    const [first] = failures;
    const error =
      first === undefined ? '' : `invalid metrics (${failures.length} invalid out of ${specs.length}), first error is: ${first.message}`;
    if (first !== undefined && (failures.length >= specs.length || best.replicas < scaled.specReplicas)) {
      this.#say('ScalingActive', 'False', first.reason, `the HPA was unable to compute the replica count: ${first.detail}`);
      return { statuses, error, replicas: undefined };
    }
    if (error !== '') this.#context.log.debug({ error }, 'not all metrics can be read');
    const found = `the HPA was able to successfully calculate a replica count from ${best.metric}`;
    this.#say('ScalingActive', 'True', 'ValidMetricFound', found);
    return { statuses, error, ...best };
  }

  /** The target's pods; a text: they are not this autoscaler's to count. */
  #chosenPods({ scale }: ScaleTarget): Omit<ScaledTarget, 'namespace' | 'tolerances'> | string {
    const refuse = (reason: string, message: string, event: string): string => {
      this.#warn(reason === 'InvalidSelector' && event === 'selector is required' ? 'SelectorRequired' : reason, event);
      this.#say('ScalingActive', 'False', reason, message);
      return event;
    };
    const selector = scale.status?.selector ?? '';
    if (selector === '') return refuse('InvalidSelector', "the HPA target's scale is missing a selector", 'selector is required');
    let matcher: LabelMatcher;
    try {
      matcher = parseLabelSelector(selector);
    } catch (error) {
      const text = `couldn't convert selector into a corresponding internal selector object: ${errorText(error)}`;
      return refuse('InvalidSelector', text, text);
    }
    this.#deps.selectors.set(this.#key, matcher);
    const namespace = this.#a.metadata?.namespace ?? '';
    const pods = this.#deps.listPods(namespace).filter((p) => matcher.matches(p.metadata?.labels ?? {}));
    const others = [...this.#deps.selectors].filter(
      ([key, other]) => key !== this.#key && key.startsWith(`${namespace}/`) && pods.some((p) => other.matches(p.metadata?.labels ?? {})),
    );
    if (others.length > 0) {
      const keys = [this.#key, ...others.map(([key]) => key)].sort().map((key) => `{${key.slice(namespace.length + 1)} ${namespace}}`);
      const text = `pods by selector ${selector} are controlled by multiple HPAs: [${keys.join(' ')}]`;
      return refuse('AmbiguousSelector', text, text);
    }
    return { selector, pods, specReplicas: scale.spec?.replicas ?? 0, statusReplicas: scale.status?.replicas ?? 0 };
  }

  #normalize(history: ScalingHistory, wanted: number, bounds: Bounds, nowMs: number): number {
    const { behavior } = this.#a.spec;
    const o = { windowMs: this.#config.downscaleStabilizationMs, nowMs };
    const normalized: Normalized =
      behavior?.scaleUp === undefined || behavior.scaleDown === undefined
        ? normalizePlainly(history, wanted, bounds, o)
        : normalizeByRules(history, wanted, bounds, { ...o, behavior: behavior as Behavior });
    const { stabilized, limited } = normalized;
    this.#say('AbleToScale', 'True', stabilized.reason, stabilized.message);
    this.#say('ScalingLimited', limited.isLimited ? 'True' : 'False', limited.reason, limited.message);
    return normalized.replicas;
  }

  #warn(reason: string, message: string): void {
    this.#deps.events.event(this.#a, 'Warning', reason, message);
  }

  #say(type: ConditionType, status: 'True' | 'False', reason: string, message: string): void {
    const known = this.#conditions.find((c) => c.type === type);
    const changed = known?.status === status ? {} : { lastTransitionTime: formatTime(this.#deps.nowMs()) };
    const next: Condition = { ...known, type, status, ...changed, reason, message };
    this.#conditions = known === undefined ? [...this.#conditions, next] : this.#conditions.map((c) => (c === known ? next : c));
  }

  #statusOf(currentReplicas: number, desiredReplicas: number, currentMetrics: readonly MetricStatus[]): Status {
    const lastScaleTime = this.#a.status?.lastScaleTime;
    return {
      currentReplicas,
      desiredReplicas,
      ...(lastScaleTime === undefined ? {} : { lastScaleTime }),
      currentMetrics: currentMetrics.length === 0 ? null : [...currentMetrics],
    };
  }

  async #write(status: DeepReadonly<Status>): Promise<void> {
    const next = { ...(status as Status), conditions: this.#conditions };
    if (isDeepStrictEqual(next, this.#a.status)) return;
    try {
      const { client, signal } = this.#context;
      await client.updateStatus(horizontalPodAutoscaler, { ...(this.#a as HorizontalPodAutoscaler), status: next }, { signal });
    } catch (error) {
      if (hasReason(error, 'NotFound')) return;
      if (!hasReason(error, 'Conflict')) this.#warn('FailedUpdateStatus', errorText(error));
      throw error;
    }
  }
}
