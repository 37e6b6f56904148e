import { readdir, readFile, readlink } from 'node:fs/promises';

const read = (file: string): Promise<string> => readFile(file, 'utf8').catch(() => '');
const link = (file: string): Promise<string> => readlink(file).catch(() => '');
/** /var/run is a link to /run nearly everywhere; sockets are listed under the name they were bound with. */
const canonical = (path: string): string => path.replace(/^\/var\/run\//, '/run/');

/** Does the process hold a socket that listens at `socketPath` in its network namespace? */
async function listensAt(pid: number, socketPath: string): Promise<boolean> {
  const lines = (await read(`/proc/${pid}/net/unix`)).split('\n');
  const inodes = new Set(
    lines
      .map((l) => /\s(\d+)\s+(\/.*)$/.exec(l))
      .flatMap((m) => (m !== null && canonical(m[2] ?? '') === canonical(socketPath) ? [`socket:[${m[1]}]`] : [])),
  );
  if (inodes.size === 0) return false;
  for (const fd of await readdir(`/proc/${pid}/fd`).catch(() => [] as string[])) {
    if (inodes.has(await link(`/proc/${pid}/fd/${fd}`))) return true;
  }
  return false;
}

/**
 * The engine's process, where /proc shows the node's processes. A container may run an engine of its own (Docker in Docker), so of
 * several the one is taken that listens at the socket, in this process' own PID namespace: containers have theirs.
 */
export async function findEngineProcess(socketPath: string): Promise<number | undefined> {
  const own = await link('/proc/self/ns/pid');
  const named: number[] = [];
  for (const entry of await readdir('/proc').catch(() => [] as string[])) {
    if (/^\d+$/.test(entry) && (await read(`/proc/${entry}/comm`)).trim() === 'dockerd') named.push(Number(entry));
  }
  const here: number[] = [];
  for (const pid of named) if ((await link(`/proc/${pid}/ns/pid`)) === own) here.push(pid);
  for (const pid of here) if (await listensAt(pid, socketPath)) return pid;
  return here[0];
}
