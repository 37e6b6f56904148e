export { schedulerFlags } from './flags.ts';
export { createSchedulerMetrics, type SchedulerMetrics } from './metrics.ts';
export { createScheduler, type Scheduler, type SchedulerConfig, type SchedulerDependencies } from './scheduler.ts';
