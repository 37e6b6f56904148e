import { apiService, type APIService, endpointSlice, type EndpointSlice, service, type Service } from '@skiff/api';
import { type DeepReadonly, hasReason } from '@skiff/apimachinery';
import { aborted, type Clock, formatTime, type Logger } from '@skiff/component-base';
import { WebhookError } from '../admission/webhook/client.ts';
import type { ObjectAccess } from '../contract.ts';
import { type ApiServices, type Extension, extensionOf, isAvailable } from './api-services.ts';
import type { AvailabilityMetrics } from './availability-metrics.ts';
import { type ExtensionClient, userHeaders } from './extension-client.ts';

/** An APIService's condition `Available`, but for its time. */
export interface Availability {
  readonly status: 'True' | 'False';
  readonly reason: string;
  readonly message: string;
}

const resyncMs = 30_000;
const firstRetryMs = 100;
const callMs = 5000;
const attempts = 3;

/** What an APIService without a Service has, whatever it had before. */
const local: Availability = { status: 'True', reason: 'Local', message: 'Local APIServices are always available' };
const no = (reason: string, message: string): Availability => ({ status: 'False', reason, message });
const aggregator = { name: 'system:kube-aggregator', groups: ['system:masters'] };

/** What the Service of an extension, and its endpoints, say. undefined: nothing against it. Pure. */
export function serviceProblem(
  e: Extension,
  found: DeepReadonly<Service> | undefined,
  slices: readonly DeepReadonly<EndpointSlice>[],
): Availability | undefined {
  const { namespace, name, port } = e.service;
  const where = `service/${name} in "${namespace}"`;
  if (found === undefined) return no('ServiceNotFound', `${where} is not present`);
  if ((found.spec?.type ?? 'ClusterIP') !== 'ClusterIP') return undefined;
  const declared = found.spec?.ports?.find((p) => p.port === port);
  if (declared === undefined) return no('ServicePortError', `${where} is not listening on port ${port}`);
  if (slices.length === 0) return no('EndpointsNotFound', `cannot find endpointslices for ${where}`);
  const portName = declared.name ?? '';
  const serves = (s: DeepReadonly<EndpointSlice>): boolean =>
    (s.endpoints ?? []).some((p) => p.conditions?.ready !== false) &&
    (s.ports ?? []).some((p) => (p.name ?? '') === portName && p.port !== undefined);
  if (slices.some(serves)) return undefined;
  return no('MissingEndpoints', `endpointslices for ${where} have no addresses with port name "${portName}"`);
}

export interface AvailabilityDeps {
  readonly objects: ObjectAccess;
  readonly services: ApiServices;
  readonly client: ExtensionClient;
  readonly metrics: AvailabilityMetrics;
  readonly clock: Clock;
  readonly log: Logger;
}

/** Asks the extension for a document that it must have; any of several attempts will do. */
async function discoveryProblem(e: Extension, client: ExtensionClient): Promise<Availability | undefined> {
  const attempt = async (): Promise<string | undefined> => {
    let url = '';
    try {
      const route = client.routeOf(e);
      url = `https://${route.host.includes(':') ? `[${route.host}]` : route.host}:${route.port}/apis/${e.group}/${e.version}`;
      const { code } = await client.ask(e, {
        path: `/apis/${e.group}/${e.version}`,
        headers: userHeaders(aggregator),
        timeoutMs: callMs,
        maxBytes: 8 * 1024 * 1024,
      });
      if (code >= 200 && code < 300) return undefined;
      return `failing or missing response from ${url}: bad status from ${url}: ${code}`;
    } catch (error) {
      if (error instanceof WebhookError) return error.message;
      return `failing or missing response from ${url}: Get "${url}": ${(error as Error).message}`;
    }
  };
  const results = await Promise.all(Array.from({ length: attempts }, attempt));
  if (results.includes(undefined)) return undefined;
  return no('FailedDiscoveryCheck', results.at(-1) ?? '');
}

/** Puts a condition into a draft's status; its time changes with its status. False: it says so already. */
export function setAvailable(draft: APIService, a: Availability, now: string): boolean {
  const conditions = draft.status?.conditions ?? [];
  const before = conditions.find((c) => c.type === 'Available');
  if (before?.status === a.status && before.reason === a.reason && before.message === a.message) return false;
  const since = before?.status === a.status ? (before.lastTransitionTime ?? now) : now;
  const condition = { type: 'Available', ...a, lastTransitionTime: since };
  draft.status = { ...draft.status, conditions: [...conditions.filter((c) => c.type !== 'Available'), condition] };
  return true;
}

/**
 * Keeps the condition Available of the APIServices that lead to other servers: looked at when they, their Service or its endpoints
 * change, every half minute, and again soon after a failure. Runs until `signal` aborts.
 */
export async function runAvailability(deps: AvailabilityDeps, signal: AbortSignal): Promise<void> {
  const { objects, services, client, clock, log } = deps;
  const { unavailable, becameUnavailable } = deps.metrics;
  const tasks = new Map<string, { dirty: boolean; running: boolean; failures: number; timer: Disposable | undefined }>();

  const report = async (current: DeepReadonly<APIService>, verdict: Availability): Promise<void> => {
    const name = current.metadata?.name ?? '';
    const now = formatTime(clock.now());
    unavailable.set({ name }, verdict.status === 'True' ? 0 : 1);
    if (!setAvailable(structuredClone(current) as APIService, verdict, now)) return;
    if (verdict.status !== 'True') becameUnavailable.inc({ name, reason: verdict.reason });
    const isSame = (draft: APIService): boolean => draft.metadata?.uid === current.metadata?.uid;
    try {
      const change = (draft: APIService): APIService | undefined =>
        isSame(draft) && setAvailable(draft, verdict, now) ? draft : undefined;
      await objects.update<APIService>(apiService, '', name, change, { subresource: 'status' });
    } catch (error) {
      if (!hasReason(error, 'NotFound')) throw error;
    }
  };
  const check = async (name: string): Promise<boolean> => {
    const current = objects.get<APIService>(apiService, '', name);
    if (current === undefined) return true;
    const e = extensionOf(current);
    if (e === undefined) {
      await report(current, local);
      return true;
    }
    const slices = objects
      .list<EndpointSlice>(endpointSlice, e.service.namespace)
      .filter((s) => s.metadata?.labels?.['kubernetes.io/service-name'] === e.service.name);
    const found = objects.get<Service>(service, e.service.namespace, e.service.name);
    const problem = serviceProblem(e, found, slices) ?? (await discoveryProblem(e, client));
    const verdict: Availability = problem ?? { status: 'True', reason: 'Passed', message: 'all checks passed' };
    await report(current, verdict);
    return problem?.reason !== 'FailedDiscoveryCheck';
  };

  const wake = (name: string): void => {
    if (signal.aborted) return;
    let task = tasks.get(name);
    if (task === undefined) {
      task = { dirty: false, running: false, failures: 0, timer: undefined };
      tasks.set(name, task);
    }
    task.dirty = true;
    if (!task.running) void work(name, task);
  };
  const work = async (name: string, task: NonNullable<ReturnType<(typeof tasks)['get']>>): Promise<void> => {
    task.running = true;
    task.timer?.[Symbol.dispose]();
    while (task.dirty && !signal.aborted) {
      task.dirty = false;
      try {
        task.failures = (await check(name)) ? 0 : task.failures + 1;
      } catch (error) {
        task.failures++;
        log.warn({ err: error, name }, 'an APIService could not be looked at');
      }
    }
    task.running = false;
    const isOurs = services.extensions().some((e) => e.name === name);
    if (!isOurs) tasks.delete(name);
    else if (!signal.aborted) {
      const waitMs = task.failures === 0 ? resyncMs : Math.min(firstRetryMs * 2 ** (task.failures - 1), resyncMs);
      task.timer = clock.after(waitMs, () => wake(name));
    }
  };

  /** Services and their endpoints are followed only while an APIService leads to one. */
  let followed: Disposable[] = [];
  const wakeThoseOf = (namespace: string, name: string | undefined): void => {
    for (const e of services.extensions()) if (e.service.namespace === namespace && e.service.name === name) wake(e.name);
  };
  const follow = (): void => {
    const wanted = services.extensions().length > 0 && !signal.aborted;
    if (wanted && followed.length === 0) {
      followed = [
        objects.subscribe<Service>(service, (key) => wakeThoseOf(key.namespace, key.name)),
        objects.subscribe<EndpointSlice>(endpointSlice, (key, slice) => {
          // Of a deleted one the name is all that is left: it begins with its Service's.
          const owner = slice?.metadata?.labels?.['kubernetes.io/service-name'];
          for (const e of services.extensions())
            if (e.service.namespace === key.namespace && (owner ?? key.name).startsWith(e.service.name)) wake(e.name);
        }),
      ];
    } else if (!wanted) {
      for (const f of followed) f[Symbol.dispose]();
      followed = [];
    }
  };
  const look = (name: string): void => {
    follow();
    const current = objects.get<APIService>(apiService, '', name);
    if (current === undefined) unavailable.remove({ name });
    else if (extensionOf(current) !== undefined || !isAvailable(current)) wake(name);
  };
  using _changes = services.subscribe(look);
  for (const e of services.extensions()) look(e.name);
  await aborted(signal);
  follow();
  for (const task of tasks.values()) task.timer?.[Symbol.dispose]();
}
