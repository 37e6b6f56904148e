import type { DeepReadonly, FieldErrors } from '@skiff/apimachinery';
import type { CronJob, CronJobSpec } from '../../generated/types/batch-v1.ts';
import { shownSelector } from '../../go-value.ts';
import { nonNegative, requireOneOf } from '../../validation.ts';
import { isTimeZone, scheduleComplaint } from './cron-schedule.ts';
import { validateJobSpec } from './validate-job.ts';

type Spec = DeepReadonly<CronJobSpec>;

/** A Job's name is the CronJob's with a dash and ten digits. */
const maxNameLength = 52;

function validateSchedule(spec: Spec, errors: FieldErrors, old: Spec | undefined): void {
  const { schedule } = spec;
  const path = 'spec.schedule';
  if (schedule === '') return errors.required(path);
  const complaint = scheduleComplaint(schedule);
  if (complaint !== undefined) errors.invalid(path, schedule, complaint);
  if (!schedule.includes('TZ')) return;
  if (!old?.schedule.includes('TZ')) errors.invalid(path, schedule, 'cannot use TZ or CRON_TZ in schedule, use timeZone field instead');
  else if (spec.timeZone !== undefined) errors.invalid(path, schedule, 'cannot use both timeZone field and TZ or CRON_TZ in schedule');
}

function validateTimeZone(zone: string, errors: FieldErrors): void {
  const path = 'spec.timeZone';
  if (zone === '') return errors.invalid(path, zone, 'timeZone must be nil or non-empty string');
  const good = zone.split('/').every((p) => p !== '.' && p !== '..' && !p.startsWith('-') && /^[A-Za-z.\-_0-9+]{1,14}$/.test(p));
  if (!good) return errors.invalid(path, zone, `unknown time zone ${zone}`);
  if (zone.toLowerCase() === 'local') {
    errors.invalid(path, zone, 'timeZone must be an explicit time zone as defined in https://www.iana.org/time-zones');
    if (zone === 'Local') return;
  }
  if (!isTimeZone(zone)) errors.invalid(path, zone, `unknown time zone ${zone}`);
}

export function validateCronJob(cronJob: DeepReadonly<CronJob>, errors: FieldErrors, old?: DeepReadonly<CronJob>): void {
  const spec = cronJob.spec;
  if (spec === undefined) return;
  const before = old?.spec;
  validateSchedule(spec, errors, before);
  nonNegative(errors, 'spec.startingDeadlineSeconds', spec.startingDeadlineSeconds);
  if (spec.timeZone !== undefined && spec.timeZone !== before?.timeZone) validateTimeZone(spec.timeZone, errors);
  requireOneOf(errors, 'spec.concurrencyPolicy', spec.concurrencyPolicy, ['Allow', 'Forbid', 'Replace']);
  const path = 'spec.jobTemplate.spec';
  const template = spec.jobTemplate.spec ?? { template: {} };
  validateJobSpec(template, path, errors, before?.jobTemplate.spec);
  if (template.selector) errors.invalid(`${path}.selector`, shownSelector(template.selector), '`selector` will be auto-generated');
  if (template.manualSelector) errors.notSupported(`${path}.manualSelector`, true, ['nil', 'false']);
  nonNegative(errors, 'spec.successfulJobsHistoryLimit', spec.successfulJobsHistoryLimit);
  nonNegative(errors, 'spec.failedJobsHistoryLimit', spec.failedJobsHistoryLimit);
  const name = cronJob.metadata?.name ?? '';
  if (old === undefined && name.length > maxNameLength) {
    errors.invalid('metadata.name', name, `must be no more than ${maxNameLength} characters`);
  }
}
