import { readFileSync } from 'node:fs';
import { namespace as namespaces, serviceAccount } from '@skiff/api';
import { createClient, type Client } from '@skiff/client';
import { childSignal, silentLogger, systemClock } from '@skiff/component-base';
import { createRegistry } from '../../../apiserver/src/registry/registry.ts';
import { startTestServer } from '../../../apiserver/test/test-server.ts';
import { defaultConfig, type ControllerManagerConfig } from '../../src/config.ts';
import { createControllerManager } from '../../src/controller-manager.ts';
import { controllers } from '../../src/controllers.ts';
import { runHollowNodes } from './hollow-nodes.ts';
import { until } from './until.ts';

export interface TestCluster extends AsyncDisposable {
  /** As system:masters. */
  readonly client: Client;
  /** A namespace of its own for a test, complete with its default ServiceAccount. */
  namespace(): Promise<string>;
}

/** An apiserver with memory storage and RBAC, all controllers under their own identity, and nodes that only pretend. */
export async function startTestCluster(
  o: { nodes?: readonly string[]; config?: Partial<ControllerManagerConfig> } = {},
): Promise<TestCluster> {
  const server = await startTestServer(createRegistry);
  const connect = (identity: { cert: string; key: string }, userAgent: string): Client =>
    createClient({
      servers: [`https://127.0.0.1:${server.port}`],
      certificateAuthority: { pem: server.pki.ca },
      clientCertificate: { pem: identity.cert },
      clientKey: { pem: identity.key },
      userAgent,
    });
  const client = connect(server.admin, 'test/v0');
  const own = connect(await server.pki.client('system:kube-controller-manager'), 'kube-controller-manager/v0');
  const stop = childSignal(new AbortController().signal);
  const rootCa = readFileSync(server.pki.file('ca.crt'), 'utf8');
  const serviceAccountKey = readFileSync(server.pki.file('sa.key'), 'utf8');
  const given = { clusterCidrs: ['10.200.0.0/16'], rootCa, serviceAccountKey };
  const manager = createControllerManager({ ...defaultConfig, ...given, ...o.config }, controllers, {
    client: own,
    clock: systemClock,
    log: silentLogger,
    freeze: true,
  });
  const running = Promise.all([manager.run(stop.signal), runHollowNodes(client, o.nodes ?? ['node-1', 'node-2'], stop.signal)]);
  let serial = 0;
  return {
    client,
    namespace: async () => {
      const name = `test-${serial++}`;
      await client.create(namespaces, { metadata: { name } });
      await until(client, serviceAccount, { namespace: name, holds: (all) => all.some((a) => a.metadata?.name === 'default') });
      return name;
    },
    [Symbol.asyncDispose]: async () => {
      stop.abort();
      await running;
      client.close();
      own.close();
      await server[Symbol.asyncDispose]();
    },
  };
}
