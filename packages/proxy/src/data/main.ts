import { createLogger, parseFlags, systemClock } from '@skiff/component-base';
import { descriptorLimit } from './budget.ts';
import { createControl } from './control.ts';
import { DataPlane } from './data-plane.ts';
import { dataFlags } from './flags.ts';
import { handOver, takeOver } from './hand-over.ts';
import { createHostPorts } from './host-ports.ts';

/**
 * proxy-data: lives in the services namespace, serves its table, needs nobody. It ends on SIGTERM, or after a hand-over once
 * its last connection has ended.
 */
const hostNamespace = 3;
const drainPollMs = 500;

const flags = parseFlags(dataFlags, process.argv.slice(2));
const log = createLogger('proxy-data', flags.v >= 4 ? 'debug' : 'info');
const hostPorts = createHostPorts({ hostNamespace });
const settings = { localPodCidrs: [], clusterCidr: flags['cluster-cidr'], shadowCidr: flags['shadow-cidr'] };
const plane = new DataPlane(settings, { clock: systemClock, log, hostPorts, random: Math.random, descriptorLimit: descriptorLimit() });

const control = createControl(
  { version: flags['data-version'] },
  {
    plane,
    log,
    handOver: async (command) => {
      await handOver(command, plane, hostNamespace);
      log.info({ open: plane.openConnections }, 'a successor serves; ending with the last open connection');
      plane.stopListening();
      hostPorts.close();
      const poll = setInterval(() => {
        if (plane.openConnections > 0) return;
        clearInterval(poll);
        process.exit(0);
      }, drainPollMs);
    },
  },
);

process.on('SIGTERM', () => process.exit(0));
process.on('SIGINT', () => process.exit(0));
process.on('uncaughtException', (error) => {
  // One connection's trouble must not end all others.
  log.error({ err: error }, 'unexpected error');
});

if (process.send === undefined) await control.listen(flags.socket);
else {
  const { table, handles, done } = await takeOver();
  const problems = await plane.replace(table, handles);
  await control.listen(flags.socket);
  done();
  log.info({ sockets: handles.size, problems }, 'took over');
}
log.info({ pid: process.pid, version: flags['data-version'] }, 'serving');
