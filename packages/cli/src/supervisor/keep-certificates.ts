import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock, Logger } from '@skiff/component-base';
import type { ClusterConfig } from '../config.ts';
import { authorityWarning } from '../pki/authority-end.ts';
import type { Supervisor } from './supervisor.ts';

const longestNapMs = 3_600_000;
/** Read once, when the apiserver starts. */
const readAtStart = ['etcd/ca.crt', 'etcd/client.crt'];

/**
 * Renews the certificates of a control plane while it runs, so that it never dies of age: at 70 % of their life, long before anybody
 * has to. Their processes read them again by themselves; where one does not, it is restarted. Nodes renew their own. Resolves when
 * `signal` aborts.
 */
export async function keepCertificates(
  config: ClusterConfig,
  deps: { supervisor: Supervisor; clock: Clock; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  if (config.role !== 'control-plane') return;
  const { clock, log } = deps;
  const { preparePki } = await import('../pki/prepare-pki.ts');
  const pki = (name: string): string => readFileSync(join(config.rootDir, 'pki', name), 'utf8');
  /** '' for one that is gone: it is made anew. */
  const atStart = (): string => readAtStart.map((name) => (existsSync(join(config.rootDir, 'pki', name)) ? pki(name) : '')).join('');
  let told = false;
  for (;;) {
    await clock.sleep(Math.min(longestNapMs, config.certificateLifetimeMs / 20), signal).catch(() => undefined);
    if (signal.aborted) return;
    try {
      const before = atStart();
      await preparePki(config);
      if (atStart() !== before) {
        log.info('the apiserver is restarted: it reads its certificate for etcd when it starts');
        await deps.supervisor.restart('apiserver');
      }
      const warning = authorityWarning(config, clock.now());
      if (warning !== undefined && !told) {
        told = true;
        log.warn(warning);
      }
    } catch (error) {
      log.error({ err: error }, 'certificates could not be renewed; trying again');
    }
  }
}
