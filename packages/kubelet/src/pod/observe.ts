import { open } from 'node:fs/promises';
import { type ContainerStatus, isRuntimeError, type RuntimeService } from '@skiff/cri';
import { type ObservedPod, sortObserved } from '../actions/observed-pod.ts';
import { annotationNames } from '../container/labels.ts';
import type { HostMount } from '../host/host-mount.ts';

/** Upstream's limits of termination messages: a container's file, what is taken from logs, and all of a pod together. */
const maxMessageBytes = 4096;
const maxLogMessageBytes = 2048;
const maxLogMessageLines = 80;
const maxPodMessageBytes = 12 * 1024;

async function readTail(runtime: RuntimeService, id: string): Promise<string> {
  let text = '';
  const signal = new AbortController().signal;
  for await (const l of runtime.containerLogs(id, { follow: false, tailLines: maxLogMessageLines, signal })) text += l.line.toString();
  return Buffer.from(text).subarray(-maxLogMessageBytes).toString();
}

async function readFileHead(path: string): Promise<string> {
  const file = await open(path).catch(() => undefined);
  if (file === undefined) return '';
  try {
    const { buffer, bytesRead } = await file.read(Buffer.alloc(maxMessageBytes), 0, maxMessageBytes, 0);
    return buffer.subarray(0, bytesRead).toString();
  } finally {
    await file.close();
  }
}

/** What an ended container left as its last words: its file, or its log where the policy says so and it failed. */
async function terminationMessage(c: ContainerStatus, o: ObserveDependencies): Promise<string> {
  const file = c.annotations[annotationNames.terminationMessageFile];
  const text = file === undefined ? '' : await readFileHead(o.hostMount.local(file));
  if (text !== '' || c.exitCode === 0 || c.annotations[annotationNames.terminationMessagePolicy] !== 'FallbackToLogsOnError') return text;
  return readTail(o.runtime, c.id).catch(() => '');
}

export interface ObserveDependencies {
  readonly runtime: RuntimeService;
  readonly hostMount: Pick<HostMount, 'local'>;
}

/** What the runtime has of one pod. Containers that ended don't change any more; they are remembered in `ended`. */
export async function observePod(uid: string, ended: Map<string, ContainerStatus>, o: ObserveDependencies): Promise<ObservedPod> {
  const [sandboxes, listed] = await Promise.all([o.runtime.listPodSandbox({ podUid: uid }), o.runtime.listContainers({ podUid: uid })]);
  const perContainer = Math.floor(maxPodMessageBytes / Math.max(1, new Set(listed.map((c) => c.metadata.name)).size));
  const containers = await Promise.all(
    listed.map(async (c): Promise<ContainerStatus | undefined> => {
      const known = ended.get(c.id);
      if (known !== undefined) return known;
      const status = await o.runtime.containerStatus(c.id).catch((error: unknown) => {
        if (isRuntimeError(error, 'not-found')) return undefined;
        throw error;
      });
      if (status === undefined || status.state !== 'exited') return status;
      const said = (await terminationMessage(status, o)).slice(0, perContainer);
      const message = [status.message, said].filter((m) => m !== '').join(': ');
      const final = { ...status, message };
      ended.set(c.id, final);
      return final;
    }),
  );
  const present = new Set(listed.map((c) => c.id));
  for (const id of ended.keys()) if (!present.has(id)) ended.delete(id);
  const sorted = sortObserved(
    sandboxes,
    containers.filter((c) => c !== undefined),
  );
  const addresses = sorted.sandboxes[0]?.annotations[annotationNames.ips] ?? '';
  return { ...sorted, ips: addresses === '' ? [] : addresses.split(',') };
}

/** The same with these containers made and not started. */
export const asNotStarted = (observed: ObservedPod, ids: ReadonlySet<string>): ObservedPod => ({
  ...observed,
  containers: observed.containers.map((c) => (ids.has(c.id) && c.state === 'running' ? { ...c, state: 'created' } : c)),
});
