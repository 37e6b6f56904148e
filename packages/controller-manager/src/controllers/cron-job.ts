import { cronJob as cronJobs, job as jobs, type CronJob, type CronJobStatus, type Job } from '@skiff/api';
import { hasReason, type DeepReadonly } from '@skiff/apimachinery';
import { defineController, ownedBy, primary, type ControllerContext, type ReconcileContext } from '@skiff/client';
import { formatTime } from '@skiff/component-base';
import { parseCronSchedule, type CronSchedule } from '../cron-job/cron-schedule.ts';
import { computeDueTime, type CronJobView } from '../cron-job/due-time.ts';
import { formatLocalTime } from '../cron-job/local-time.ts';
import type { ControllerDescriptor } from '../descriptor.ts';
import { isFinished } from '../job/decide-job.ts';
import { byControllerUid, controllerReference, controllerUidIndex, isControlledBy } from '../owner-references.ts';
import { asError, messageOf } from '../pods/pod-control.ts';

type JobView = DeepReadonly<Job>;

const scheduledAtAnnotation = 'batch.kubernetes.io/cronjob-scheduled-timestamp';
/** Added to each wait, so that the clock has surely passed the moment. */
const slackMs = 100;

const finishedBy = (job: JobView): string =>
  (job.status?.conditions ?? []).find((c) => (c.type === 'Complete' || c.type === 'Failed') && c.status === 'True')?.type ?? '';
const nameFor = (cronJob: CronJobView, atMs: number): string => `${cronJob.metadata?.name ?? ''}-${Math.floor(atMs / 60_000)}`;
const byStart = (a: JobView, b: JobView): number => {
  const order = (j: JobView): string => `${j.status?.startTime ?? '~'} ${j.metadata?.name ?? ''}`;
  return order(a) < order(b) ? -1 : 1;
};

/** One look at one CronJob. */
class CronJobRun {
  readonly #cronJob: CronJobView;
  readonly #children: readonly JobView[];
  readonly #context: ControllerContext;
  readonly #run: ReconcileContext;
  readonly #nowMs: number;
  readonly status: CronJobStatus;

  constructor(o: { cronJob: CronJobView; children: readonly JobView[]; context: ControllerContext; run: ReconcileContext }) {
    this.#cronJob = o.cronJob;
    this.#children = o.children;
    this.#context = o.context;
    this.#run = o.run;
    this.#nowMs = o.context.clock.now();
    this.status = structuredClone(o.cronJob.status ?? {}) as CronJobStatus;
  }

  #tell(type: 'Normal' | 'Warning', reason: string, message: string): void {
    this.#context.events.event(this.#cronJob, type, reason, message);
  }
  #forget(uid: string | undefined): void {
    this.status.active = (this.status.active ?? []).filter((r) => r.uid !== uid);
  }

  /** Brings the list of active Jobs up to date. */
  async noteJobs(): Promise<void> {
    for (const job of this.#children) {
      const { name = '', uid = '' } = job.metadata ?? {};
      const listed = (this.status.active ?? []).some((r) => r.uid === uid);
      if (!isFinished(job)) {
        if (!listed) this.#tell('Warning', 'UnexpectedJob', `Saw a job that the controller did not create or forgot: ${name}`);
        continue;
      }
      if (listed) {
        this.#forget(uid);
        this.#tell('Normal', 'SawCompletedJob', `Saw completed job: ${name}, condition: ${finishedBy(job)}`);
      }
      const completed = job.status?.completionTime;
      if (finishedBy(job) === 'Complete' && completed && completed > (this.status.lastSuccessfulTime ?? ''))
        this.status.lastSuccessfulTime = completed;
    }
    for (const reference of this.status.active ?? []) {
      if (this.#children.some((job) => job.metadata?.uid === reference.uid)) continue;
      try {
        await this.#run.client.get(
          jobs,
          { namespace: this.#cronJob.metadata?.namespace ?? '', name: reference.name ?? '' },
          { signal: this.#run.signal },
        );
      } catch (error) {
        if (!hasReason(error, 'NotFound')) throw error;
        this.#tell('Normal', 'MissingJob', `Active job went missing: ${reference.name ?? ''}`);
        this.#forget(reference.uid);
      }
    }
  }

  /** Starts what is due. Returns how long to wait for the next time. */
  async start(timeZone: string): Promise<number | undefined> {
    const { suspend, concurrencyPolicy, startingDeadlineSeconds } = this.#cronJob.spec ?? {};
    const text = this.#cronJob.spec?.schedule ?? '';
    if (this.#cronJob.metadata?.deletionTimestamp !== undefined || suspend === true) return undefined;
    let schedule: CronSchedule;
    try {
      schedule = parseCronSchedule(text, timeZone);
    } catch (error) {
      if (error instanceof RangeError) this.#tell('Warning', 'UnknownTimeZone', `invalid timeZone: "${timeZone}": ${messageOf(error)}`);
      else this.#tell('Warning', 'UnparseableSchedule', `unparseable schedule: "${text}" : ${messageOf(error)}`);
      return undefined;
    }
    const next = (): number | undefined => {
      const at = schedule.next(this.#nowMs);
      return at === undefined ? undefined : at + slackMs - this.#nowMs;
    };
    const { atMs, manyMissed } = computeDueTime(this.#cronJob, schedule, { nowMs: this.#nowMs, considerDeadline: true });
    if (atMs === undefined) return next();
    if (manyMissed)
      this.#tell(
        'Warning',
        'TooManyMissedTimes',
        'too many missed start times. Set or decrease .spec.startingDeadlineSeconds or check clock skew',
      );
    if (startingDeadlineSeconds !== undefined && atMs + startingDeadlineSeconds * 1000 < this.#nowMs) {
      this.#tell('Warning', 'MissSchedule', `Missed scheduled time to start a job: ${new Date(atMs).toUTCString().replace('GMT', 'UTC')}`);
      return next();
    }
    const name = nameFor(this.#cronJob, atMs);
    const active = this.status.active ?? [];
    if (active.some((r) => r.name === name) || (this.status.lastScheduleTime && Date.parse(this.status.lastScheduleTime) === atMs))
      return next();
    if (concurrencyPolicy === 'Forbid' && active.length > 0) {
      this.#tell('Normal', 'JobAlreadyActive', 'Not starting job because prior execution is running and concurrency policy is Forbid');
      return next();
    }
    if (concurrencyPolicy === 'Replace')
      for (const reference of active) await this.remove({ name: reference.name ?? '', uid: reference.uid ?? '' });
    await this.#createJob(name, { atMs, timeZone });
    return next();
  }

  async #createJob(name: string, o: { atMs: number; timeZone: string }): Promise<void> {
    const template = this.#cronJob.spec?.jobTemplate;
    const namespace = this.#cronJob.metadata?.namespace ?? '';
    const draft: Job = {
      metadata: {
        namespace,
        name,
        labels: { ...template?.metadata?.labels },
        annotations: { ...template?.metadata?.annotations, [scheduledAtAnnotation]: formatLocalTime(o.atMs, o.timeZone) },
        ownerReferences: [controllerReference(this.#cronJob, cronJobs)],
      },
      spec: structuredClone(template?.spec) as NonNullable<Job['spec']>,
    };
    let job: Job;
    try {
      job = await this.#run.client.create(jobs, draft, { signal: this.#run.signal });
      this.#tell('Normal', 'SuccessfulCreate', `Created job ${name}`);
    } catch (error) {
      if (!hasReason(error, 'AlreadyExists')) {
        this.#tell('Warning', 'FailedCreate', `Error creating job: ${messageOf(error)}`);
        throw error;
      }
      // Created before, without the status having got so far; or somebody else's.
      job = await this.#run.client.get(jobs, { namespace, name }, { signal: this.#run.signal });
      if (!isControlledBy(job, this.#cronJob)) return;
    }
    const { uid = '', resourceVersion = '' } = job.metadata ?? {};
    this.status.active = [...(this.status.active ?? []), { apiVersion: 'batch/v1', kind: 'Job', name, namespace, uid, resourceVersion }];
    this.status.lastScheduleTime = formatTime(o.atMs);
  }

  async remove(job: { readonly name: string; readonly uid: string }): Promise<void> {
    try {
      await this.#run.client.delete(
        jobs,
        { namespace: this.#cronJob.metadata?.namespace ?? '', name: job.name },
        { propagationPolicy: 'Background', signal: this.#run.signal },
      );
      this.#tell('Normal', 'SuccessfulDelete', `Deleted job ${job.name}`);
    } catch (error) {
      if (!hasReason(error, 'NotFound')) {
        this.#tell('Warning', 'FailedDelete', `Deleted job: ${messageOf(error)}`);
        throw error;
      }
    }
    this.#forget(job.uid);
  }

  /** Removes finished Jobs beyond the history limits, the oldest first. */
  async cleanUp(): Promise<void> {
    const limits = [
      ['Complete', this.#cronJob.spec?.successfulJobsHistoryLimit],
      ['Failed', this.#cronJob.spec?.failedJobsHistoryLimit],
    ] as const;
    for (const [type, limit] of limits) {
      if (limit === undefined) continue;
      const finished = this.#children
        .filter((job) => finishedBy(job) === type && job.metadata?.deletionTimestamp === undefined)
        .sort(byStart);
      for (const job of finished.slice(0, Math.max(0, finished.length - limit)))
        await this.remove({ name: job.metadata?.name ?? '', uid: job.metadata?.uid ?? '' });
    }
  }
}

/** Starts Jobs at scheduled times. */
export const cronJobController: ControllerDescriptor = {
  name: 'cronjob-controller',
  define: () =>
    defineController({
      name: 'cronjob-controller',
      concurrency: 5,
      sources: [
        primary(cronJobs),
        ownedBy(cronJobs, jobs, {
          changed: (a, b) => isFinished(a) !== isFinished(b) || a.metadata?.deletionTimestamp !== b.metadata?.deletionTimestamp,
        }),
      ],
      create: (context) => {
        const informer = context.informers.informer(cronJobs);
        const jobInformer = context.informers.informer(jobs);
        jobInformer.addIndex(controllerUidIndex, byControllerUid);
        const localZone = new Intl.DateTimeFormat().resolvedOptions().timeZone;
        return async (key, run) => {
          const cronJob = informer.get(key);
          if (cronJob === undefined) return undefined;
          const children = jobInformer.byIndex(controllerUidIndex, cronJob.metadata?.uid ?? '');
          const look = new CronJobRun({ cronJob, children, context, run });
          const before = JSON.stringify(look.status);
          let failure: unknown;
          let nextMs: number | undefined;
          try {
            await look.noteJobs();
            nextMs = await look.start(cronJob.spec?.timeZone ?? localZone);
            await look.cleanUp();
          } catch (error) {
            failure = error;
          }
          if ((look.status.active ?? []).length === 0) delete look.status.active;
          if (JSON.stringify(look.status) !== before)
            await run.client.updateStatus(
              cronJobs,
              { ...(structuredClone(cronJob) as CronJob), status: look.status },
              { signal: run.signal },
            );
          if (failure !== undefined) throw asError(failure);
          return nextMs === undefined ? undefined : { requeueAfterMs: Math.max(nextMs, 0) };
        };
      },
    }),
};
