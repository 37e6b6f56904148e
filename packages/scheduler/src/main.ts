import { randomUUID } from 'node:crypto';
import { hostname } from 'node:os';
import { connectControlPlane, createEventRecorder, createInformerFactory, createLeaderElector, createLeaderFence } from '@skiff/client';
import { createLogger, exitMessage, FlagError, formatHelp, parseFlags, processSignal, systemClock } from '@skiff/component-base';
import { schedulerFlags } from './flags.ts';
import { runHealthServer } from './health-server.ts';
import { createSchedulerMetrics } from './metrics.ts';
import { createScheduler } from './scheduler.ts';

function fail(error: unknown): never {
  process.stderr.write(`scheduler: ${exitMessage(error)}\n`);
  process.exit(error instanceof FlagError ? 2 : 1);
}

async function main(args: readonly string[]): Promise<number> {
  if (args.includes('--help')) {
    process.stdout.write(formatHelp('skiff-scheduler', schedulerFlags));
    return 0;
  }
  const flags = parseFlags(schedulerFlags, args);
  const log = createLogger('scheduler', flags.v);
  const signal = processSignal();
  const fence = createLeaderFence();
  const controlPlane = connectControlPlane(
    flags.kubeconfig,
    { userAgent: 'kube-scheduler/v0.1.0', middleware: [fence.middleware] },
    { log },
  );
  const { client } = controlPlane;
  const following = controlPlane.follow(signal);
  const clock = systemClock;
  const metrics = createSchedulerMetrics();
  const events = createEventRecorder({ component: 'default-scheduler' }, { client, clock, log });
  const informers = createInformerFactory({}, { client, clock, log });
  const scheduler = createScheduler({}, { client, informers, clock, log, events, metrics });
  const health = runHealthServer(
    { port: flags['secure-port'] },
    { ready: () => scheduler.ready, metrics: () => metrics.render(scheduler.pending()), explain: (key) => scheduler.explain(key) },
    signal,
  );
  health.catch(fail);
  const run = async (term: AbortSignal): Promise<void> => {
    await Promise.all([scheduler.run(term), events.run(term)]);
  };
  let lost = false;
  if (!flags['leader-elect']) await run(signal);
  else {
    const elector = createLeaderElector(
      {
        lease: { namespace: flags['leader-elect-resource-namespace'], name: flags['leader-elect-resource-name'] },
        identity: flags['leader-elect-identity'] ?? `${hostname()}_${randomUUID()}`,
        alone: controlPlane.alone,
        leaseDurationMs: flags['leader-elect-lease-duration'],
        renewDeadlineMs: flags['leader-elect-renew-deadline'],
        retryPeriodMs: flags['leader-elect-retry-period'],
        releaseOnCancel: true,
      },
      { client, clock, log, fence },
    );
    lost = (await elector.run(run, signal)) === 'lost';
  }
  client.close();
  if (lost) {
    log.error('leader election lost');
    return 1;
  }
  await Promise.all([health, following]);
  return 0;
}

try {
  process.exitCode = await main(process.argv.slice(2));
  // Losing the lease ends the process although its health server still listens.
  if (process.exitCode !== 0) process.exit();
} catch (error) {
  fail(error);
}
