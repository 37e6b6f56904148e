import net from 'node:net';
import type { Clock } from '@skiff/component-base';

/** Every node refuses connections to its own two addresses on this port, and says so at once. */
export const probePort = 9;
const patienceMs = 700;

/**
 * Whether packets from one node's own address to the other's arrive and are answered. Resolves with true when the connection is
 * refused by the other side.
 */
export function probeAddress(from: string, to: string, clock: Clock): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = net.connect({ host: to, port: probePort, localAddress: from });
    const timer = clock.after(patienceMs, () => end(false));
    const end = (answer: boolean): void => {
      timer[Symbol.dispose]();
      socket.destroy();
      resolve(answer);
    };
    socket.once('connect', () => end(true));
    socket.once('error', (error: NodeJS.ErrnoException) => end(error.code === 'ECONNREFUSED'));
  });
}
