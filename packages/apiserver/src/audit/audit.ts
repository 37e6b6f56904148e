import type { Clock, Logger } from '@skiff/component-base';
import { Counter, type Registry } from 'prom-client';
import type { RequestInfo, UserInfo } from '../contract.ts';
import { readRemoteServer } from '../remote/kubeconfig.ts';
import type { Exchange } from '../server/exchange.ts';
import { type AuditBackend, createAuditBackend, logOutput, webhookOutput } from './backend.ts';
import type { AuditConfig } from './config.ts';
import { openLogFile } from './log-file.ts';
import { type AuditPolicy, readAuditPolicy } from './policy.ts';
import { RequestRecord } from './request-audit.ts';

/** Who did what: a record of requests, as much of each as the policy wants. */
export interface Audit {
  /** undefined: the policy wants nothing of it. */
  begin(r: { x: Exchange; info: RequestInfo; user: UserInfo | undefined; auditId: string; receivedMs: number }): RequestRecord | undefined;
  /** Until aborted; what still waits is sent then, for a few seconds at most. */
  run(signal: AbortSignal): Promise<void>;
}

/** Reads the policy and opens the back ends. Throws when one can't be had: nothing should happen unrecorded. */
export function openAudit(config: AuditConfig, deps: { clock: Clock; log: Logger; registers: Registry[] }): Audit {
  const { clock, log } = deps;
  const metrics = auditMetrics(deps.registers);
  const policy: AuditPolicy = readAuditPolicy(config.policyFile);
  const common = { counts: { lost: metrics.lost }, clock, log };
  const backends: AuditBackend[] = [];
  if (config.log !== undefined) {
    const output = logOutput(openLogFile(config.log, { clock, log }), config.log.format);
    backends.push(createAuditBackend(config.log, { ...common, output }));
  }
  if (config.webhook !== undefined) {
    const server = readRemoteServer(config.webhook.configFile, 'audit-webhook-config-file');
    const output = webhookOutput(server, { initialBackoffMs: config.webhook.initialBackoffMs, clock });
    backends.push(createAuditBackend(config.webhook, { ...common, output }));
  }
  const emit = (event: Parameters<AuditBackend['process']>[0]): boolean | Promise<boolean> => {
    metrics.event();
    let good = true;
    let pending: Promise<boolean>[] | undefined;
    for (const backend of backends) {
      const result = backend.process(event);
      if (typeof result === 'boolean') good = good && result;
      else (pending ??= []).push(result);
    }
    return pending === undefined ? good : Promise.all(pending).then((all) => good && all.every(Boolean));
  };
  return {
    begin: (r) => {
      const ruling = policy(r.info, r.user);
      metrics.level(ruling.level);
      return ruling.level === 'None' ? undefined : new RequestRecord(ruling, r, { emit, now: clock.now, rejected: metrics.rejected });
    },
    run: async (signal) => {
      await Promise.all(backends.map((b) => b.run(signal)));
    },
  };
}

interface AuditMetrics {
  event(): void;
  level(level: string): void;
  lost(plugin: string, events: number): void;
  rejected(): void;
}

function auditMetrics(registers: Registry[]): AuditMetrics {
  const events = new Counter({ name: 'apiserver_audit_event_total', help: 'Audit events made and sent to the back ends.', registers });
  const levels = new Counter({
    name: 'apiserver_audit_level_total',
    help: 'Policy levels of requests.',
    labelNames: ['level'],
    registers,
  });
  const errors = new Counter({
    name: 'apiserver_audit_error_total',
    help: 'Audit events that were not recorded, by back end.',
    labelNames: ['plugin'],
    registers,
  });
  const rejected = new Counter({
    name: 'apiserver_audit_requests_rejected_total',
    help: 'Requests refused because they could not be recorded.',
    registers,
  });
  const byLevel = new Map<string, { inc(): void }>();
  return {
    event: () => events.inc(),
    level: (level) => {
      let counter = byLevel.get(level);
      if (counter === undefined) byLevel.set(level, (counter = levels.labels({ level })));
      counter.inc();
    },
    lost: (plugin, n) => errors.inc({ plugin }, n),
    rejected: () => rejected.inc(),
  };
}
