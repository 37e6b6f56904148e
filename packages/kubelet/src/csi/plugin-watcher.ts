import { type FSWatcher, watch } from 'node:fs';
import { lstat, mkdir, readdir } from 'node:fs/promises';
import path from 'node:path';
import type { Clock, Logger } from '@skiff/component-base';
import { openPluginChannel } from './channel.ts';
import { loadPluginServices } from './definition.ts';

export interface PluginInfo {
  readonly type: string;
  readonly name: string;
  /** Socket of the plugin's own service, as this process reaches it. */
  readonly endpoint: string;
  readonly supportedVersions: readonly string[];
}

/** What is done with plugins of one type. A throw of `register` refuses the plugin, with the reason. */
export interface PluginHandler {
  register(plugin: PluginInfo): Promise<void>;
  deregister(plugin: PluginInfo): Promise<void>;
}

const timeoutMs = 10_000;
const retryMs = 2_000;
const maxDepth = 3;

interface Known {
  readonly inode: number;
  readonly plugin: PluginInfo | undefined;
}

/** Sockets below a directory, by path with their inode: one that was made anew is another plugin. */
async function findSockets(directory: string, depth = 0): Promise<ReadonlyMap<string, number>> {
  const found = new Map<string, number>();
  const entries = await readdir(directory, { withFileTypes: true }).catch(() => []);
  for (const entry of entries) {
    const full = path.join(directory, entry.name);
    if (entry.name.startsWith('.')) continue;
    if (entry.isDirectory() && depth < maxDepth) for (const [p, inode] of await findSockets(full, depth + 1)) found.set(p, inode);
    else if (entry.isSocket()) {
      const stat = await lstat(full).catch(() => undefined);
      if (stat !== undefined) found.set(full, stat.ino);
    }
  }
  return found;
}

/** undefined when the kernel has no watch left; `onFailure` is told then, and when the watch breaks later. */
function watchDirectory(directory: string, onChange: () => void, onFailure: (error: unknown) => void): FSWatcher | undefined {
  try {
    const watcher = watch(directory, { recursive: false, persistent: false });
    watcher.on('change', onChange);
    watcher.on('error', onFailure);
    return watcher;
  } catch (error) {
    onFailure(error);
    return undefined;
  }
}

/**
 * Follows the sockets of the kubelet's plugins_registry until `signal` aborts: each is asked who it is, given to the handler of its type,
 * and told how that went. What could not be registered is tried again while its socket is there.
 */
export async function watchPlugins(
  config: { readonly directory: string },
  deps: {
    /** How this process reaches a path of the node. */
    local: (path: string) => string;
    handlers: Readonly<Record<string, PluginHandler>>;
    clock: Clock;
    log: Logger;
  },
  signal: AbortSignal,
): Promise<void> {
  const directory = deps.local(config.directory);
  await mkdir(directory, { recursive: true, mode: 0o750 });
  const known = new Map<string, Known>();
  /** Sockets of plugins that could not be taken back. */
  const stuck = new Set<string>();

  const register = async (socket: string): Promise<PluginInfo> => {
    using channel = await openPluginChannel(socket, (await loadPluginServices()).registration);
    const info = await channel.call<PluginInfo>('GetInfo', {}, { timeoutMs, signal });
    const plugin = { ...info, endpoint: info.endpoint === '' ? socket : deps.local(info.endpoint) };
    const tell = async (error: string): Promise<void> => {
      await channel
        .call('NotifyRegistrationStatus', { pluginRegistered: error === '', error }, { timeoutMs, signal })
        .catch((cause: Error) => {
          deps.log.warn({ plugin: info.name, err: cause }, 'a plugin could not be told how its registration went');
        });
    };
    try {
      const handler = deps.handlers[info.type];
      if (handler === undefined) throw new Error(`this kubelet has no plugins of type ${info.type}`);
      await handler.register(plugin);
    } catch (error) {
      await tell(error instanceof Error ? error.message : String(error));
      throw error;
    }
    await tell('');
    return plugin;
  };
  /** Returns whether something is left to be tried again. */
  const sync = async (): Promise<boolean> => {
    let failed = false;
    const present = await findSockets(directory);
    for (const [socket, { inode, plugin }] of known) {
      if (present.get(socket) === inode) continue;
      try {
        if (plugin !== undefined) await deps.handlers[plugin.type]?.deregister(plugin);
        known.delete(socket);
        stuck.delete(socket);
      } catch (error) {
        if (signal.aborted) return false;
        if (!stuck.has(socket)) deps.log.error({ socket, err: error }, 'a plugin that is gone could not be taken back; trying again');
        stuck.add(socket);
        failed = true;
      }
    }
    for (const [socket, inode] of present) {
      if (known.get(socket)?.plugin !== undefined || signal.aborted) continue;
      try {
        known.set(socket, { inode, plugin: await register(socket) });
      } catch (error) {
        if (signal.aborted) return false;
        if (!known.has(socket)) deps.log.error({ socket, err: error }, 'a plugin could not be registered; trying again');
        known.set(socket, { inode, plugin: undefined });
        failed = true;
      }
    }
    return failed;
  };

  let wake: () => void = () => undefined;
  let isDirty = true;
  const stop = (): void => wake();
  signal.addEventListener('abort', stop);
  let isWatched = true;
  const unwatched = (error: unknown): void => {
    isWatched = false;
    deps.log.warn({ err: error, directory }, 'the directory of plugins can not be watched; looking into it every few seconds');
    wake();
  };
  const changed = (): void => {
    isDirty = true;
    wake();
  };
  const watcher = watchDirectory(directory, changed, unwatched);
  try {
    while (!signal.aborted) {
      let failed = false;
      while (isDirty && !signal.aborted) {
        isDirty = false;
        failed = await sync();
      }
      if (isDirty || signal.aborted) continue;
      await new Promise<void>((resolve) => {
        wake = resolve;
        if (failed || !isWatched) void deps.clock.sleep(retryMs, signal).then(resolve, resolve);
      });
      if (failed || !isWatched) isDirty = true;
    }
  } finally {
    signal.removeEventListener('abort', stop);
    watcher?.close();
  }
}
