import { access } from 'node:fs/promises';
import type { Clock } from '@skiff/component-base';
import type { RuntimeService, RuntimeStatus, RuntimeVersion } from '../contract.ts';
import type { CallOptions } from './channel.ts';
import { cniPlacesOf, installCniPlugin, removeCniPlugin } from './cni-plugin.ts';
import type { Strings } from './messages.ts';
import { runtimeInfoKey } from './runtime-info.ts';

interface StatusAnswer {
  readonly status: {
    readonly conditions: readonly { readonly type: string; readonly status: boolean; readonly reason: string; readonly message: string }[];
  } | null;
  readonly info: Strings;
  readonly features: { readonly supplementalGroupsPolicy: boolean } | null;
  readonly runtimeHandlers: readonly { readonly name: string; readonly features: { readonly recursiveReadOnlyMounts: boolean } | null }[];
}

export interface RemoteStatus extends Pick<RuntimeService, 'version' | 'status'> {
  /** Takes back what was installed so that the runtime leaves the network of its sandboxes alone. */
  removeTraces(): Promise<void>;
}

/** The first versions that mount images (KEP-4639), which the CRI has no field for. */
const firstWithImageMounts: Readonly<Record<string, readonly [number, number]>> = { containerd: [2, 1], 'cri-o': [1, 31] };

/** The first that look at a mount's image_sub_path: others would mount the whole image without a word. */
const firstWithImageSubPaths: typeof firstWithImageMounts = { ...firstWithImageMounts, 'cri-o': [1, 33] };

export const mountsImages = (version: RuntimeVersion): boolean => isAtLeast(version, firstWithImageMounts);
/** Only of those that `mountsImages`; whose versions aren't known here (Skiff's own end among them) speak for themselves. */
export const mountsImageSubPaths = (version: RuntimeVersion): boolean =>
  firstWithImageSubPaths[version.runtimeName] === undefined || isAtLeast(version, firstWithImageSubPaths);

function isAtLeast({ runtimeName, runtimeVersion }: RuntimeVersion, firsts: typeof firstWithImageMounts): boolean {
  const first = firsts[runtimeName];
  const [, major, minor] = /^v?(\d+)\.(\d+)/.exec(runtimeVersion) ?? [];
  if (first === undefined || major === undefined) return false;
  return Number(major) > first[0] || (Number(major) === first[0] && Number(minor) >= first[1]);
}

/** What a CRI endpoint says of itself. Asking for the status sees to it that the runtime wires no sandboxes. */
export function createRemoteStatus(o: {
  readonly call: <R>(method: string, request: object, options?: CallOptions) => Promise<R>;
  readonly clock: Clock;
  readonly closed: AbortSignal;
}): RemoteStatus {
  const read = { repeatable: true };
  const askStatus = (): Promise<StatusAnswer> => o.call<StatusAnswer>('Status', { verbose: true }, read);
  const version: RuntimeService['version'] = async () => {
    const v = await o.call<{ runtimeName: string; runtimeVersion: string; runtimeApiVersion: string }>('Version', { version: 'v1' }, read);
    return { runtimeName: v.runtimeName, runtimeVersion: v.runtimeVersion, apiVersion: v.runtimeApiVersion };
  };
  let networkPrepared = false;
  const status: RuntimeService['status'] = async () => {
    let answer = await askStatus();
    // Skiff's own end may leave the network alone.
    if (answer.info[runtimeInfoKey] !== undefined && answer.info['config'] === undefined) return readStatus(answer, await version());
    if (!networkPrepared || !conditionOf(answer, 'NetworkReady').ready) {
      try {
        await installCniPlugin(cniPlacesOf(answer.info['config']));
        networkPrepared = true;
      } catch (error) {
        return {
          ...(await readStatus(answer, await version())),
          ready: false,
          message: error instanceof Error ? error.message : String(error),
        };
      }
      // The runtime sees the new configuration within moments.
      for (let left = 40; left > 0 && !conditionOf(answer, 'NetworkReady').ready; left--) {
        await o.clock.sleep(50, o.closed);
        answer = await askStatus();
      }
    }
    return readStatus(answer, await version());
  };
  return {
    version,
    status,
    removeTraces: async () => removeCniPlugin(cniPlacesOf((await askStatus()).info['config'])),
  };
}

function conditionOf(answer: StatusAnswer, type: 'RuntimeReady' | 'NetworkReady'): { ready: boolean; message: string } {
  const found = answer.status?.conditions.find((c) => c.type === type);
  if (found === undefined) return { ready: false, message: `the runtime tells no condition ${type}` };
  return { ready: found.status, message: found.message };
}

async function readStatus(answer: StatusAnswer, version: RuntimeVersion): Promise<RuntimeStatus> {
  const conditions = [conditionOf(answer, 'RuntimeReady'), conditionOf(answer, 'NetworkReady')];
  const bad = conditions.find((c) => !c.ready);
  const told = answer.info[runtimeInfoKey] === undefined ? {} : (JSON.parse(answer.info[runtimeInfoKey]) as Partial<RuntimeStatus>);
  const unified = await access('/sys/fs/cgroup/cgroup.controllers').then(
    () => true,
    () => false,
  );
  const configured = answer.info['config'] ?? '';
  return {
    ready: bad === undefined,
    message: bad?.message ?? '',
    cgroupVersion: unified ? 2 : 1,
    cgroupDriver: /"SystemdCgroup":\s*true/.test(configured) ? 'systemd' : 'cgroupfs',
    handlers: [...new Set(['', ...answer.runtimeHandlers.map((h) => h.name)])],
    recursiveReadOnlyMounts: answer.runtimeHandlers.find((h) => h.name === '')?.features?.recursiveReadOnlyMounts ?? false,
    supplementalGroupsPolicy: answer.features?.supplementalGroupsPolicy ?? false,
    imageMounts: mountsImages(version),
    // Shims keep containers running while the daemon is away.
    liveRestore: true,
    ...told,
  };
}
