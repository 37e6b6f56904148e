import { type CommandOptions, type Upgrade, upgradeToAttach, upgradeToExec, upgradeToPortForward } from '@skiff/cri/streaming';
import type { KubeletParts } from '../kubelet.ts';
import type { PodWorker } from '../pod/pod-worker.ts';
import { findPod, findRunning, HttpError } from './routes.ts';

export interface UpgradeRequest extends Upgrade {
  readonly url: URL;
  readonly parts: KubeletParts;
}

const truthy = (query: URLSearchParams, name: string): boolean => ['1', 'true'].includes(query.get(name) ?? '');

const optionsOf = (query: URLSearchParams): CommandOptions => ({
  stdin: truthy(query, 'input'),
  stdout: truthy(query, 'output'),
  stderr: truthy(query, 'error'),
  tty: truthy(query, 'tty'),
});

async function exec(u: UpgradeRequest, worker: PodWorker, container: string): Promise<void> {
  const id = findRunning(worker, container);
  const o = optionsOf(u.url.searchParams);
  const command = u.url.searchParams.getAll('command');
  if (command.length === 0) throw new HttpError(400, 'you must specify at least one command for the container');
  await upgradeToExec(u, o, () => u.parts.context.runtime.exec(id, { command, tty: o.tty, stdin: o.stdin }));
}

async function attach(u: UpgradeRequest, worker: PodWorker, container: string): Promise<void> {
  const id = findRunning(worker, container);
  const o = optionsOf(u.url.searchParams);
  const spec = [
    ...worker.pod.spec.containers,
    ...(worker.pod.spec.initContainers ?? []),
    ...(worker.pod.spec.ephemeralContainers ?? []),
  ].find((c) => c.name === container);
  // Whether there is a terminal is the container's doing, whatever the client believes.
  const tty = spec?.tty === true;
  const start = () => u.parts.context.runtime.attach(id, { stdin: o.stdin, stdout: o.stdout, stderr: o.stderr && !tty, tty });
  await upgradeToAttach(u, { ...o, endInput: spec?.stdinOnce === true }, start);
}

async function portForward(u: UpgradeRequest, worker: PodWorker): Promise<void> {
  const sandbox = worker.observed.sandboxes.find((s) => s.state === 'ready');
  if (sandbox === undefined) throw new HttpError(404, `pod not found ("${worker.pod.metadata.name}_${worker.pod.metadata.namespace}")`);
  const ports = u.url.searchParams
    .getAll('port')
    .flatMap((p) => p.split(','))
    .map(Number);
  const forwarder = await u.parts.context.runtime.portForward(sandbox.id);
  await upgradeToPortForward(u, { forwarder, ports, podLabel: `${sandbox.id}, uid : ${worker.pod.metadata.uid}` });
}

/** exec, attach and port-forward. Throws HttpError or UpgradeError as long as the connection was not taken over. */
export async function serveUpgrade(u: UpgradeRequest): Promise<void> {
  const parts = u.url.pathname.split('/').slice(1).map(decodeURIComponent);
  const [what, namespace = '', name = '', ...rest] = parts;
  const worker = (uid?: string): PodWorker => findPod(u.parts, namespace, name, uid);
  switch (what) {
    case 'exec':
    case 'attach': {
      const [first = '', second] = rest;
      const [uid, container] = second === undefined ? [undefined, first] : [first, second];
      return what === 'exec' ? exec(u, worker(uid), container) : attach(u, worker(uid), container);
    }
    case 'portForward':
      return portForward(u, worker(rest[0]));
    default:
      throw new HttpError(404, '404 page not found');
  }
}
