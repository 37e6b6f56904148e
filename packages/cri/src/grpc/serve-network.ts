import { spawn } from 'node:child_process';
import { access, mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { Logger } from '@skiff/component-base';
import { RuntimeError } from '../runtime-error.ts';
import type { PodSandboxMetadata } from '../sandbox.ts';
import type { CniPlaces } from './cni-plugin.ts';

export interface PortMapping {
  readonly protocol: 'TCP' | 'UDP' | 'SCTP';
  readonly containerPort: number;
  readonly hostPort: number;
  readonly hostIp: string;
}

/** The network of served sandboxes. */
export interface SandboxNetwork {
  readonly places: CniPlaces;
  status(): Promise<{ readonly ready: boolean; readonly message: string }>;
  /** Connects a sandbox that runs. Resolves with its addresses; throws `start` when a plugin fails, with nothing left behind. */
  attach(o: {
    readonly id: string;
    readonly pid: number;
    readonly metadata: PodSandboxMetadata;
    readonly ports: readonly PortMapping[];
    readonly signal: AbortSignal;
  }): Promise<readonly string[]>;
  /** Lets go of what the plugins gave it. `pid`: absent when the sandbox is gone. Idempotent. */
  detach(id: string, pid: number | undefined): Promise<void>;
  /** Of a sandbox that was attached, by this server or one before it. */
  addresses(id: string): Promise<readonly string[]>;
}

type Json = Readonly<Record<string, unknown>>;
interface NetworkList {
  readonly name: string;
  readonly cniVersion: string;
  readonly plugins: readonly (Json & { readonly type: string; readonly capabilities?: Readonly<Record<string, boolean>> })[];
}
interface Result {
  readonly ips?: readonly { readonly address: string }[];
}
/** What has to be known to take a sandbox off the network again. */
interface Attachment {
  readonly list: NetworkList;
  readonly metadata: PodSandboxMetadata;
  readonly ports: readonly PortMapping[];
  readonly result: Result;
}

const interfaceName = 'eth0';
const maxAnswerBytes = 1024 * 1024;
const pluginDeadlineMs = 60_000;

/** The first configuration by name, as all runtimes choose. undefined: there is none. */
async function readNetworkList(confDirectory: string): Promise<NetworkList | undefined> {
  const names = await readdir(confDirectory).catch(() => []);
  const first = names.filter((n) => /\.(conf|conflist|json)$/.test(n)).sort()[0];
  if (first === undefined) return undefined;
  const file = path.join(confDirectory, first);
  const fail = (why: string): RuntimeError => new RuntimeError('unavailable', `CNI configuration ${file}: ${why}`);
  let found: Partial<NetworkList> & { readonly type?: string };
  try {
    found = JSON.parse(await readFile(file, 'utf8')) as typeof found;
  } catch (error) {
    throw fail((error as Error).message);
  }
  const { name = '', cniVersion = '0.3.1', type } = found;
  const plugins = found.plugins ?? (type === undefined ? [] : [{ ...found, type } as NetworkList['plugins'][number]]);
  if (name === '' || plugins.length === 0 || plugins.some((p) => typeof p.type !== 'string' || p.type.includes('/')))
    throw fail('it has no name, or no plugins');
  return { name, cniVersion, plugins };
}

interface Limits {
  readonly deadlineMs: number;
  readonly signal: AbortSignal | undefined;
}

/** A plugin that takes too long, or that nobody waits for any more, is killed with all that it started. */
function run(program: string, env: NodeJS.ProcessEnv, input: string, { deadlineMs, signal }: Limits): Promise<string> {
  return new Promise((resolve, reject) => {
    signal?.throwIfAborted();
    const child = spawn(program, [], { env: { PATH: process.env['PATH'], ...env }, stdio: ['pipe', 'pipe', 'pipe'], detached: true });
    const stop = (why: Error): void => {
      try {
        if (child.pid !== undefined) process.kill(-child.pid, 'SIGKILL');
      } catch {
        // All of them have ended meanwhile.
      }
      for (const pipe of child.stdio) pipe?.destroy();
      reject(why);
    };
    const late = (): void => stop(new Error(`CNI plugin ${path.basename(program)} did not end within ${deadlineMs / 1000} s`));
    const timer = setTimeout(late, deadlineMs);
    const abort = (): void => stop(signal?.reason as Error);
    signal?.addEventListener('abort', abort, { once: true });
    child.on('close', () => {
      clearTimeout(timer);
      signal?.removeEventListener('abort', abort);
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (b: Buffer) => (out = (out + b.toString()).slice(0, maxAnswerBytes)));
    child.stderr.on('data', (b: Buffer) => (err = (err + b.toString()).slice(-4096)));
    child.on('error', reject);
    child.on('close', (code) => {
      if (code === 0) return resolve(out);
      let said = err.trim();
      try {
        const { msg, details } = JSON.parse(out) as { msg?: string; details?: string };
        said = [msg, details].filter((t) => t !== undefined && t !== '').join('; ') || said;
      } catch {
        // Not the error of the specification: what it printed has to do.
        said = said || out.trim();
      }
      reject(new Error(`CNI plugin ${path.basename(program)} failed: ${said.slice(0, 2000)}`));
    });
    // A plugin that ends without reading is judged by its exit code.
    child.stdin.on('error', () => undefined);
    child.stdin.end(input);
  });
}

/** Calls the plugins of the Container Network Interface (spec 1.0), as a CRI runtime has to. `stateDirectory` is this server's own. */
export function createCniNetwork(config: {
  readonly places: CniPlaces;
  readonly stateDirectory: string;
  readonly log: Logger;
  readonly deadlineMs?: number;
}): SandboxNetwork {
  const { places, stateDirectory, log, deadlineMs = pluginDeadlineMs } = config;
  const fileOf = (id: string): string => path.join(stateDirectory, `${path.basename(id)}.json`);
  const load = async (id: string): Promise<Attachment | undefined> => {
    const text = await readFile(fileOf(id), 'utf8').catch((error: NodeJS.ErrnoException) => {
      // Without the record nothing would be given back: who can't read it now is asked again.
      if (error.code !== 'ENOENT') throw error;
      return undefined;
    });
    if (text === undefined) return undefined;
    try {
      return JSON.parse(text) as Attachment;
    } catch (error) {
      // Cut off, by a power failure say. What the plugins hold is theirs to find; the sandbox must be able to end.
      log.error({ err: error, sandbox: id }, "what is known of a sandbox's network can't be read; it is forgotten");
      await rm(fileOf(id), { force: true });
      return undefined;
    }
  };
  const call = async (
    command: 'ADD' | 'DEL',
    plugin: NetworkList['plugins'][number],
    o: { id: string; pid: number | undefined; attachment: Attachment; signal?: AbortSignal },
  ): Promise<string> => {
    const { metadata: m, ports, list, result } = o.attachment;
    const args = [
      ['IgnoreUnknown', '1'],
      ['K8S_POD_NAMESPACE', m.namespace],
      ['K8S_POD_NAME', m.name],
      ['K8S_POD_INFRA_CONTAINER_ID', o.id],
      ['K8S_POD_UID', m.uid],
    ];
    const { capabilities, ...own } = plugin;
    const mapped = ports
      .filter((p) => p.hostPort > 0)
      .map((p) => ({ hostPort: p.hostPort, containerPort: p.containerPort, protocol: p.protocol.toLowerCase(), hostIP: p.hostIp }));
    const input = {
      ...own,
      name: list.name,
      cniVersion: list.cniVersion,
      ...(capabilities?.['portMappings'] === true && mapped.length > 0 ? { runtimeConfig: { portMappings: mapped } } : {}),
      ...(Object.keys(result).length === 0 ? {} : { prevResult: result }),
    };
    const env = {
      CNI_COMMAND: command,
      CNI_CONTAINERID: o.id,
      CNI_NETNS: o.pid === undefined ? '' : `/proc/${o.pid}/ns/net`,
      CNI_IFNAME: interfaceName,
      CNI_PATH: places.binDirectory,
      CNI_ARGS: args.map(([k, v]) => `${k}=${v}`).join(';'),
    };
    return run(path.join(places.binDirectory, plugin.type), env, JSON.stringify(input), { deadlineMs, signal: o.signal });
  };
  const remove = async (id: string, pid: number | undefined, attachment: Attachment): Promise<void> => {
    for (const plugin of [...attachment.list.plugins].reverse()) await call('DEL', plugin, { id, pid, attachment });
    await rm(fileOf(id), { force: true });
  };
  const keep = async (id: string, attachment: Attachment): Promise<void> => {
    await mkdir(stateDirectory, { recursive: true, mode: 0o700 });
    await writeFile(`${fileOf(id)}.new`, JSON.stringify(attachment), { flush: true });
    await rename(`${fileOf(id)}.new`, fileOf(id));
  };
  const addressesOf = (r: Result): readonly string[] => (r.ips ?? []).map((ip) => ip.address.split('/')[0] ?? '');

  return {
    places,
    status: async () => {
      try {
        const list = await readNetworkList(places.confDirectory);
        if (list === undefined) return { ready: false, message: `there is no CNI configuration in ${places.confDirectory}` };
        for (const p of list.plugins) await access(path.join(places.binDirectory, p.type));
        return { ready: true, message: '' };
      } catch (error) {
        return { ready: false, message: (error as Error).message };
      }
    },
    attach: async ({ id, pid, metadata, ports, signal }) => {
      const list = await readNetworkList(places.confDirectory);
      if (list === undefined) throw new RuntimeError('start', `there is no CNI configuration in ${places.confDirectory}`);
      let attachment: Attachment = { list, metadata, ports, result: {} };
      // Noted first: whoever comes after a crash takes back what the plugins did.
      await keep(id, attachment);
      try {
        for (const plugin of list.plugins)
          attachment = { ...attachment, result: JSON.parse(await call('ADD', plugin, { id, pid, attachment, signal })) as Result };
        await keep(id, attachment);
        return addressesOf(attachment.result);
      } catch (cause) {
        const message = (cause as Error).message;
        await remove(id, pid, attachment).catch(() => undefined);
        throw new RuntimeError('start', `failed to set up the sandbox's network: ${message}`, { cause });
      }
    },
    detach: async (id, pid) => {
      const attachment = await load(id);
      if (attachment !== undefined) await remove(id, pid, attachment);
    },
    addresses: async (id) => addressesOf((await load(id))?.result ?? {}),
  };
}
