import { type EndpointSlice, endpointSlice, type Lease, lease, type Pod, pod } from '@skiff/api';
import { type DeepReadonly, forbidden, notFound } from '@skiff/apimachinery';
import type { Clock, Logger } from '@skiff/component-base';
import type { DrainRequest, DrainResponse } from '@skiff/tunnel';
import type { ObjectAccess } from '../contract.ts';
import type { NodeTunnel } from './node-tunnel.ts';
import type { Tunnels } from './tunnels.ts';

/** No request can make the server wait longer. */
const longestMs = 30_000;

type Slice = DeepReadonly<EndpointSlice>;

/** Whether the slice leads to the pod, and whether it still offers it to new connections. */
export function standingIn(slice: Slice, podUid: string): 'absent' | 'chosen' | 'leaving' {
  let found: 'absent' | 'leaving' = 'absent';
  for (const endpoint of slice.endpoints ?? []) {
    if (endpoint.targetRef?.uid !== podUid) continue;
    const { ready, terminating } = endpoint.conditions ?? {};
    if (ready !== false && terminating !== true) return 'chosen';
    found = 'leaving';
  }
  return found;
}

export interface DrainCoordinator {
  /** For a pod of that node. Throws Forbidden or NotFound. Rejects with nothing else: what does not answer in time is not waited for. */
  drain(nodeName: string, request: DrainRequest): Promise<DrainResponse>;
}

/**
 * Lets a pod that ends be forgotten by every proxy before it is told to stop (docs/decisions/tunnel.md). In memory only: nothing
 * is written, and who does not answer is not waited for.
 */
export function createDrainCoordinator(deps: { objects: ObjectAccess; tunnels: Tunnels; clock: Clock; log: Logger }): DrainCoordinator {
  const { objects, tunnels, clock, log } = deps;
  const slicesWith = (namespace: string, podUid: string): readonly Slice[] =>
    objects.list<EndpointSlice>(endpointSlice, namespace).filter((s) => standingIn(s, podUid) !== 'absent');

  /** Resolves when no slice offers the pod any more, or the time is over. */
  const leavesSlices = async (namespace: string, podUid: string, timeoutMs: number): Promise<void> => {
    const left = (): boolean => slicesWith(namespace, podUid).every((s) => standingIn(s, podUid) === 'leaving');
    if (left()) return;
    const cleanUps: Disposable[] = [];
    await new Promise<void>((resolve) => {
      cleanUps.push(
        clock.after(timeoutMs, resolve),
        objects.subscribe<EndpointSlice>(endpointSlice, (key) => {
          if (key.namespace === namespace && left()) resolve();
        }),
      );
      if (left()) resolve();
    });
    for (const c of cleanUps) c[Symbol.dispose]();
  };

  /** A node that is away does not choose endpoints for anybody who is there. */
  const isAlive = (nodeName: string): boolean => {
    const held = objects.get<Lease>(lease, 'kube-node-lease', nodeName)?.spec;
    if (held?.renewTime === undefined || held.renewTime === null) return false;
    return clock.now() - Date.parse(held.renewTime) < (held.leaseDurationSeconds ?? 40) * 1000;
  };

  /** Resolves with the connections that a node's proxy has left, when it is done or the times are over. */
  const drainNode = (tunnel: NodeTunnel, addresses: readonly string[], o: { chooseMs: number; lingerMs: number }): Promise<number> =>
    new Promise((resolve) => {
      const giveUp = (openConnections: number): void => {
        forget();
        resolve(openConnections);
      };
      let timer = clock.after(o.chooseMs, () => {
        log.warn({ node: tunnel.nodeName, addresses }, 'the proxy of a node did not drain in time');
        giveUp(0);
      });
      const forget = tunnel.drain(addresses, o.lingerMs, (answer) => {
        timer[Symbol.dispose]();
        if (answer === undefined || answer.finished) {
          if (answer !== undefined && answer.error !== '')
            log.warn({ node: tunnel.nodeName, addresses, error: answer.error }, 'the proxy of a node could not be asked to drain');
          resolve(answer?.openConnections ?? 0);
          return;
        }
        // Chosen no more; now for what is open.
        timer = clock.after(o.lingerMs, () => giveUp(answer.openConnections));
      });
    });

  return {
    drain: async (nodeName, request) => {
      const { podNamespace: namespace, podName: name, podUid } = request;
      const found = objects.get<Pod>(pod, namespace, name) ?? (await objects.read<Pod>(pod, namespace, name));
      if (found === undefined || found.metadata?.uid !== podUid) throw notFound({ group: '', resource: 'pods' }, name);
      if (found.spec?.nodeName !== nodeName) {
        throw forbidden({ group: '', resource: 'pods' }, name, `node "${nodeName}" can only drain its own pods`);
      }
      if (slicesWith(namespace, podUid).length === 0) return { inService: false, openConnections: 0 };
      const chooseMs = Math.min(request.chooseTimeoutMs, longestMs);
      const lingerMs = Math.min(request.lingerMs, longestMs);
      // Its address is the node's, which others use as well: nothing is asked of the proxies.
      const addresses = found.spec.hostNetwork === true ? [] : (found.status?.podIPs ?? []).map((p) => p.ip).filter((ip) => ip !== '');
      const waitedFor = addresses.length === 0 ? [] : tunnels.all().filter((t) => isAlive(t.nodeName));
      const [open] = await Promise.all([
        Promise.all(waitedFor.map((t) => drainNode(t, addresses, { chooseMs, lingerMs }))),
        leavesSlices(namespace, podUid, chooseMs),
      ]);
      return { inService: true, openConnections: open.reduce((sum, n) => sum + n, 0) };
    },
  };
}
