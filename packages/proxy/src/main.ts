import { mkdirSync } from 'node:fs';
import { clientSigner, connectControlPlane, keepClientCertificate } from '@skiff/client';
import { createLogger, FlagError, formatHelp, parseFlags, processSignal, systemClock } from '@skiff/component-base';
import { createDataLink } from './data-link.ts';
import { dataMain, dataVersion } from './data-version.ts';
import { proxyFlags } from './flags.ts';
import { cleanUpHost } from './host/cleanup.ts';
import { runCommand } from './host/command.ts';
import { createHostSetup } from './host/host-setup.ts';
import { hostNames } from './host/names.ts';
import { netnsPath } from './host/namespace.ts';
import { createMetrics } from './metrics.ts';
import { createProxy, memoryPath } from './proxy.ts';
import { nodePortAddresses } from './table/node-port-addresses.ts';
import { loadRemembered } from './remembered.ts';

/** The proxies of all hosts are one user. */
const proxyCertificate = {
  signerName: clientSigner,
  identity: { commonName: 'system:kube-proxy', organizations: ['system:node-proxier'] },
};

async function main(args: readonly string[]): Promise<void> {
  if (args.includes('--help')) {
    process.stdout.write(formatHelp('proxy', proxyFlags));
    return;
  }
  const flags = parseFlags(proxyFlags, args);
  if (flags.cleanup)
    return cleanUpHost(flags.instance, flags['root-dir'], { run: runCommand, clock: systemClock, log: createLogger('proxy') });
  if (flags['node-name'] === '') throw new FlagError('--node-name is required');
  if (flags.kubeconfig === '') throw new FlagError('--kubeconfig is required');

  const log = createLogger('proxy', flags.v >= 4 ? 'debug' : 'info');
  const names = hostNames(flags.instance);
  const rootDir = flags['root-dir'];
  mkdirSync(rootDir, { recursive: true, mode: 0o750 });
  const ranges = { clusterCidr: flags['cluster-cidr'], shadowCidr: flags['shadow-cidr'] };
  const serviceCidrs = flags['service-cluster-ip-range'].filter((c) => !c.includes(':'));
  const clock = systemClock;
  const metrics = createMetrics();
  const inputs = { serviceCidrs, nodeAddress: undefined, extraAddresses: [], peerAddresses: [], rules: undefined };
  const host = createHostSetup({ names, ...ranges, livenessPort: flags['liveness-port'], inputs }, { run: runCommand, clock, log });
  const data = createDataLink(
    {
      instance: flags.instance,
      rootDir,
      netnsPath: netnsPath(names),
      ...ranges,
      main: dataMain,
      // Its memory and its compiler are not this process's: it carries the traffic.
      execArgv: process.execArgv.filter((a) => !/^--(max-|single-threaded-gc|no-sparkplug|interrupt-budget)/.test(a)),
      version: dataVersion(),
    },
    {
      clock,
      log,
      onApplied: (problems) => {
        metrics.problems(problems.length);
        proxy.onProblems(problems);
        if (problems.length > 0) log.warn({ problems: problems.slice(0, 20) }, "some addresses can't be listened on yet");
      },
    },
  );
  const controlPlane = connectControlPlane(flags.kubeconfig, { userAgent: 'skiff-proxy/0.1.0' }, { clock, log });
  const { client } = controlPlane;
  const proxy = createProxy(
    {
      names,
      rootDir,
      nodeName: flags['node-name'],
      serviceCidrs,
      ...ranges,
      clusterDns: flags['cluster-dns'],
      clusterDomain: flags['cluster-domain'],
      nodePortAddresses: nodePortAddresses(flags['nodeport-addresses']),
      healthzPort: flags['healthz-port'],
      livenessPort: flags['liveness-port'],
      resolvConf: flags['resolv-conf'],
      remembered: loadRemembered(memoryPath(rootDir), log),
    },
    { client, clock, log, run: runCommand, host, data, metrics },
  );
  const signal = processSignal();
  log.info({ instance: flags.instance, namespace: names.netns }, 'starting');
  await Promise.all([
    proxy.run(signal),
    controlPlane.follow(signal),
    keepClientCertificate({ config: controlPlane.config, ...proxyCertificate }, { client, clock, log }, signal),
  ]);
  client.close();
}

main(process.argv.slice(2)).catch((error: unknown) => {
  process.stderr.write(`proxy: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
