import { lookup } from 'node:dns/promises';
import { connect, isIP, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import type { Duplex } from 'node:stream';
import { type Dial, DialError, describeDialFailure, type TunnelConnection } from '@skiff/tunnel';
import type { KubeletParts } from '../kubelet.ts';
import { isHostNetwork, isTerminalPhase } from '../pod/pod-snapshot.ts';
import { canonicalAddress, type LocalNetwork, planTarget, refusalOf } from './target-policy.ts';

/** What the policy goes by, as it is now. Addresses of pods are those that this kubelet reports, not what the API says. */
export function localNetwork(parts: KubeletParts): LocalNetwork {
  const podAddresses = new Set<string>();
  const hostNetworkPorts = new Set<number>();
  for (const { pod } of parts.pods.workers()) {
    const status = parts.context.status.get(pod.metadata.uid);
    if (isTerminalPhase(status?.phase)) continue;
    if (!isHostNetwork(pod)) for (const { ip } of status?.podIPs ?? []) podAddresses.add(canonicalAddress(ip));
    else for (const c of pod.spec.containers) for (const p of c.ports ?? []) hostNetworkPorts.add(p.containerPort);
  }
  const ownAddresses = new Set(Object.values(networkInterfaces()).flatMap((list) => (list ?? []).map((a) => canonicalAddress(a.address))));
  return { podAddresses, hostNetworkPorts, nodeAddresses: parts.context.node.addresses, ownAddresses };
}

function dial(host: string, port: number, timeoutMs: number): Promise<Socket> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, allowHalfOpen: true, noDelay: true, keepAlive: true });
    const timer = setTimeout(() => socket.destroy(Object.assign(new Error('timed out'), { code: 'ETIMEDOUT' })), timeoutMs);
    const fail = (error: Error): void => {
      clearTimeout(timer);
      reject(new DialError('UNREACHABLE', describeDialFailure(error, host, port)));
    };
    socket.once('error', fail);
    socket.once('connect', () => {
      clearTimeout(timer);
      socket.off('error', fail);
      resolve(socket);
    });
  });
}

/** Connects to what a Dial names; 'kubelet' is this process. A name is resolved once, and what it resolved to is judged and dialled. Throws DialError. */
export async function connectTarget(request: Dial, parts: KubeletParts): Promise<Socket | 'kubelet'> {
  const local = localNetwork(parts);
  const plan = planTarget(request.target, local);
  if (plan.kind === 'kubelet') return 'kubelet';
  if (plan.kind === 'refuse') throw new DialError('FORBIDDEN', plan.why);
  const { port } = plan;
  let address = plan.host;
  if (isIP(address) === 0) {
    try {
      ({ address } = await lookup(plan.host));
    } catch (error) {
      throw new DialError('UNREACHABLE', describeDialFailure(error, plan.host, port));
    }
    const why = refusalOf(address, port, local);
    if (why !== undefined) throw new DialError('FORBIDDEN', `${plan.host}: ${why}`);
  }
  return await dial(address, port, request.timeoutMs);
}

/** Carries bytes both ways; an end is passed on as an end, a reset as a reset. Resolves when both are closed. */
export function joinTarget(connection: TunnelConnection, target: Duplex): Promise<void> {
  return new Promise((resolve) => {
    let open = 2;
    const closed = (): void => {
      open -= 1;
      if (open === 0) resolve();
    };
    connection.on('error', () => undefined);
    target.on('error', (error) => connection.destroy(error));
    connection.once('close', () => {
      closed();
      const complete = target.writableFinished && target.readableEnded;
      if (!complete && !target.destroyed) {
        if (target instanceof Socket) target.resetAndDestroy();
        else target.destroy();
      }
    });
    target.once('close', () => {
      closed();
      const complete = connection.writableEnded && target.readableEnded;
      if (!complete) connection.destroy();
    });
    connection.pipe(target);
    target.pipe(connection);
  });
}
