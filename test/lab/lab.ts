import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { HostImage } from '@skiff/testing/host-image';
import { eventually, repositoryRoot } from '../e2e/support/cluster.ts';
import { processesOfLab, removeGroups } from './cgroups.ts';
import type { EngineVersion } from './engine.ts';
import { Host, skiffScripts } from './host.ts';
import { startSwitch, type Faults, type Segment, type Switch } from './switch.ts';

export interface HostOptions {
  /** Default h1, h2, … */
  readonly name?: string;
  /** Hosts of one segment hear each other's frames; segments are joined by a router. Default `a`. */
  readonly segment?: string;
  /** Alone behind a router that lets connections out and none in. */
  readonly nat?: boolean;
  readonly engine?: EngineVersion;
}

export interface LabOptions {
  /** Labs of different names run side by side; the checkout's mark is added. */
  readonly name?: string;
  readonly hosts: number | readonly HostOptions[];
  readonly engine?: EngineVersion;
  /** Put into the engine of every host. */
  readonly images?: readonly HostImage[];
}

export interface Lab extends AsyncDisposable {
  readonly name: string;
  readonly hosts: readonly Host[];
  /** The host of that name, or of that index. Throws when there is none. */
  host(which: string | number): Host;
  /** The two don't hear each other; others hear both. */
  partition(a: Host, b: Host): Promise<void>;
  /** Nothing reaches the host and nothing leaves it; its link stays up. */
  isolate(host: Host): Promise<void>;
  /** A slow or lossy link. `bitsPerSecond` counts in each direction; `loss` is a probability for each frame. */
  slow(host: Host, how: { readonly bitsPerSecond?: number; readonly loss?: number }): Promise<void>;
  /** Ends all faults of the network. */
  heal(): Promise<void>;
  close(): Promise<void>;
}

const labsFolder = '/var/cache/skiff/lab';
/** Several checkouts can run the same tests at once on one machine. */
const checkout = createHash('sha256').update(repositoryRoot).digest('hex').slice(0, 4);
export const fullName = (name: string): string => `${name}-${checkout}`;
const folderOf = (name: string): string => join(labsFolder, name);
/** What a host has its own of; a checkout there would not be seen inside. */
const covered = ['/run/', '/var/lib/', '/var/log/', '/dev/shm/'];

/** Field 22 of /proc/<pid>/stat: tells a process from a later one with the same number. Empty when there is none, or only its remains. */
function startTime(pid: number): string {
  try {
    const [, state = '', ...fields] = readFileSync(`/proc/${pid}/stat`, 'utf8').replace(/^.*\)/s, '').split(' ');
    return state === 'Z' || state === 'X' ? '' : (fields[18] ?? '');
  } catch (error) {
    // It ends while it is looked at: ENOENT before the file is open, ESRCH after.
    if (['ENOENT', 'ESRCH'].includes((error as NodeJS.ErrnoException).code ?? '')) return '';
    throw error;
  }
}

/** Takes the lab's folder, after removing what a crashed run left there. Throws when a running test has it. */
async function claim(name: string): Promise<string> {
  const folder = folderOf(name);
  const owner = join(folder, 'owner');
  if (existsSync(owner)) {
    const [pid = '0', since] = readFileSync(owner, 'utf8').split(' ');
    if (Number(pid) !== process.pid && since !== '' && startTime(Number(pid)) === since)
      throw new Error(`the lab "${name}" is in use by process ${pid}`);
  }
  // Hosts end with the process that made them, but one after the other.
  await eventually(`what ran in the earlier lab "${name}" has ended`, async () => processesOfLab(name).length === 0);
  sweep(name);
  mkdirSync(folder, { recursive: true, mode: 0o711 });
  writeFileSync(owner, `${process.pid} ${startTime(process.pid)}`);
  return folder;
}

/** The processes of a lab end with their owner; folders and cgroups are what a crash can leave. */
function sweep(name: string): void {
  removeGroups(name);
  rmSync(folderOf(name), { recursive: true, force: true });
}

function plan(o: LabOptions): {
  readonly hosts: readonly (HostOptions & { name: string; segment: string })[];
  readonly segments: readonly Segment[];
} {
  const wanted: readonly HostOptions[] = typeof o.hosts === 'number' ? Array.from({ length: o.hosts }, () => ({})) : o.hosts;
  const hosts = wanted.map((h, i) => {
    const name = h.name ?? `h${i + 1}`;
    return { ...h, name, segment: h.nat === true ? `nat-${name}` : (h.segment ?? 'a') };
  });
  const open = [...new Set(hosts.filter((h) => h.nat !== true).map((h) => h.segment))];
  const hidden = hosts.filter((h) => h.nat === true).map((h) => h.segment);
  return {
    hosts,
    segments: [
      ...open.map((name, i) => ({ name, prefix: `10.200.${i}`, nat: false })),
      ...hidden.map((name, i) => ({ name, prefix: `192.168.${77 + i}`, nat: true })),
    ],
  };
}

/**
 * N machines on a switch, each with an engine of its own: about 2 s for three. Everything ends and is removed with `close`, and
 * the machines end with the process that made them. Needs root.
 */
export async function startLab(o: LabOptions): Promise<Lab> {
  if (process.getuid?.() !== 0) throw new Error('a lab needs root: it makes namespaces, mounts and cgroups');
  const hiddenBy = covered.find((c) => `${repositoryRoot}/`.startsWith(c));
  if (hiddenBy !== undefined) throw new Error(`hosts of a lab have their own ${hiddenBy}; the checkout can't be there`);
  const name = fullName(o.name ?? 'lab');
  const folder = await claim(name);
  const scripts = join(folder, 'bin');
  skiffScripts(scripts);
  const { hosts: wanted, segments } = plan(o);
  const wire: Switch = await startSwitch(segments);
  const placed = wanted.map((h, i) => {
    const segment = segments.findIndex((s) => s.name === h.segment);
    return { ...h, segment, number: i + 1, address: `${segments[segment]?.prefix}.${11 + i}` };
  });
  const hostsFile = placed.map((h) => `${h.address} ${h.name}`).join('\n');
  const hosts = placed.map(
    (h) =>
      new Host(
        {
          lab: name,
          port: { host: h.name, address: h.address, segment: segments[h.segment]?.name ?? '' },
          gateway: `${segments[h.segment]?.prefix}.1`,
          mac: `02:5a:00:00:00:${h.number.toString(16).padStart(2, '0')}`,
          engine: h.engine ?? o.engine ?? '20.10',
          folder: join(folder, h.name),
          hostsFile,
          scripts,
        },
        wire,
      ),
  );

  const faults: Faults = { cut: new Set(), isolated: new Set(), loss: new Map() };
  const slowed = new Map<string, Host>();
  const limit = async (host: Host, bitsPerSecond: number | undefined): Promise<void> => {
    await wire.limit(host.name, bitsPerSecond);
    const rule =
      bitsPerSecond === undefined
        ? ['del', 'dev', 'eth0', 'root']
        : ['replace', 'dev', 'eth0', 'root', 'tbf', 'rate', `${bitsPerSecond}bit`, 'burst', '32kbit', 'latency', '400ms'];
    await host.ok('tc', ['qdisc', ...rule]);
  };
  const lab: Lab = {
    name,
    hosts,
    host(which) {
      const found = typeof which === 'number' ? hosts[which] : hosts.find((h) => h.name === which);
      if (found === undefined) throw new Error(`the lab has no host ${which}`);
      return found;
    },
    async partition(a, b) {
      faults.cut.add(`${a.name}>${b.name}`).add(`${b.name}>${a.name}`);
      await wire.apply(faults);
    },
    async isolate(host) {
      faults.isolated.add(host.name);
      await wire.apply(faults);
    },
    async slow(host, how) {
      if (how.loss !== undefined) faults.loss.set(host.name, how.loss);
      await wire.apply(faults);
      if (how.bitsPerSecond === undefined) return;
      slowed.set(host.name, host);
      await limit(host, how.bitsPerSecond);
    },
    async heal() {
      faults.cut.clear();
      faults.isolated.clear();
      faults.loss.clear();
      await wire.apply(faults);
      // A host that was switched off meanwhile came back with a new link.
      for (const host of slowed.values())
        if (host.on && (await host.ok('tc', ['qdisc', 'show', 'dev', 'eth0'])).includes('tbf')) await limit(host, undefined);
      slowed.clear();
    },
    async close() {
      await Promise.all(hosts.map((h) => h.kill()));
      await wire.close();
      sweep(name);
    },
    [Symbol.asyncDispose]: () => lab.close(),
  };
  try {
    // Those that do start can only be ended once they have.
    for (const started of await Promise.allSettled(hosts.map((h) => h.start()))) if (started.status === 'rejected') throw started.reason;
    const images = o.images ?? [];
    await Promise.all(hosts.filter((h) => h.hasEngine).map((h) => h.loadImages(images)));
  } catch (error) {
    await lab.close();
    throw error;
  }
  return lab;
}
