import { type ChildProcess, spawn } from 'node:child_process';
import net from 'node:net';
import { type PortForwarder, RuntimeError, type RuntimeService } from '@skiff/cri';
import type { Sandboxes } from './sandboxes.ts';

/**
 * Runs inside the pod's network namespace: dials localhost and hands the connected socket to its parent. Only the dialling has to
 * happen there; a socket stays in the namespace in which it was made. Paused before it connects, so that no byte is read here.
 */
const dialer = `
const net = require('node:net');
process.on('disconnect', () => process.exit(0));
process.on('message', ({ id, port }) => {
  const hosts = ['127.0.0.1', '::1'];
  const dial = (failed) => {
    const host = hosts.shift();
    if (host === undefined) return process.send({ id, error: failed });
    const s = net.connect({ host, port, allowHalfOpen: true });
    s.pause();
    s.once('error', (e) => dial(failed ?? e.message));
    s.once('connect', () => { s.removeAllListeners('error'); process.send({ id }, s); });
  };
  dial();
});
`;

interface Answer {
  readonly id: number;
  readonly error?: string;
}

function spawnDialer(pid: number): PortForwarder {
  const child: ChildProcess = spawn('nsenter', [`--net=/proc/${pid}/ns/net`, '--', process.execPath, '-e', dialer], {
    stdio: ['ignore', 'ignore', 'ignore', 'ipc'],
  });
  const waiting = new Map<number, { resolve: (s: net.Socket) => void; reject: (e: Error) => void }>();
  let next = 0;
  let gone: RuntimeError | undefined;
  const fail = (message: string): void => {
    gone = new RuntimeError('unavailable', message);
    for (const w of waiting.values()) w.reject(gone);
    waiting.clear();
  };
  child.once('error', (error) => fail(`the dialler could not be started: ${error.message}`));
  child.once('exit', () => fail('the pod is gone'));
  child.on('message', (answer: Answer, socket: net.Socket | undefined) => {
    const w = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (w === undefined) socket?.destroy();
    else if (socket === undefined) w.reject(new RuntimeError('unavailable', answer.error ?? 'no connection'));
    else {
      socket.allowHalfOpen = true;
      w.resolve(socket);
    }
  });
  return {
    connect: (port) =>
      new Promise((resolve, reject) => {
        if (gone !== undefined) return reject(gone);
        const id = ++next;
        waiting.set(id, { resolve, reject });
        child.send({ id, port });
      }),
    close: () => {
      if (child.connected) child.disconnect();
      fail('closed');
    },
  };
}

const dialFromNode: PortForwarder = {
  connect: (port) =>
    new Promise((resolve, reject) => {
      const socket = net.connect({ host: 'localhost', port, allowHalfOpen: true });
      socket.once('connect', () => resolve(socket));
      socket.once('error', (cause) => reject(new RuntimeError('unavailable', cause.message, { cause })));
    }),
  close: () => undefined,
};

export const createPortForward =
  (sandboxes: Sandboxes): RuntimeService['portForward'] =>
  async (sandboxId) => {
    const { namespaces, pid } = await sandboxes.podSandboxStatus(sandboxId);
    if (namespaces.network === 'node') return dialFromNode;
    if (pid === undefined) throw new RuntimeError('conflict', `sandbox ${sandboxId} is not running`);
    return spawnDialer(pid);
  };
