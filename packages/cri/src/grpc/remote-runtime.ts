import path from 'node:path';
import type { Clock, Logger } from '@skiff/component-base';
import type { Container } from '../container.ts';
import type { ContainerRuntime, RuntimeService } from '../contract.ts';
import { isRuntimeError, RuntimeError } from '../runtime-error.ts';
import type { PodSandboxConfig } from '../sandbox.ts';
import { type CallOptions, createCriChannel } from './channel.ts';
import { withSandboxAddress } from './cni-plugin.ts';
import { readLogFile, removeLogFile } from './log-file.ts';
import { type LogLimits, rotateLog } from './log-rotation.ts';
import type {
  Outgoing,
  Strings,
  WireContainer,
  WireContainerStats,
  WireContainerStatus,
  WireSandbox,
  WireSandboxConfig,
  WireSandboxStatus,
} from './messages.ts';
import { followRemoteEvents } from './remote-events.ts';
import { createRemoteImages } from './remote-images.ts';
import { createRemoteStatus, mountsImageSubPaths } from './remote-status.ts';
import { createRemotePortForwarder, dialProcess } from './remote-streams.ts';
import {
  fromWireContainer,
  fromWireContainerStatus,
  fromWireSignal,
  fromWireStats,
  toWireContainerConfig,
  toWireResources,
  toWireState,
} from './wire-container.ts';
import { fromWireSandbox, fromWireSandboxStatus, toWireSandboxConfig, without } from './wire-sandbox.ts';

export interface RemoteRuntimeConfig {
  /** `unix:///run/containerd/containerd.sock` */
  readonly endpoint: string;
  /** Which sandboxes and containers are ours. */
  readonly instance: string;
  /** Where the runtime is told to write logs: one directory a pod below it. */
  readonly podLogsDirectory: string;
  /** Of calls without a deadline of their own; two minutes when absent. */
  readonly timeoutMs?: number;
}

export interface RemoteRuntime extends ContainerRuntime {
  /** Rotates the logs of running containers, which runtimes leave to their clients. Resolves when `signal` aborts. */
  keepLogs(limits: LogLimits, signal: AbortSignal): Promise<void>;
  /** Takes back what was installed so that the runtime leaves the network of its sandboxes alone. */
  removeTraces(): Promise<void>;
  /** Lets go of the connection. Containers stay. */
  close(): void;
}

const prefix = 'io.skiff.remote.';
const names = {
  instance: `${prefix}instance`,
  cgroupParent: `${prefix}cgroup-parent`,
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
} as const;
/** A stop signal goes out with the longest grace there is; whoever wants it sooner sends SIGKILL. */
const rotationMs = 10_000;
const graceSeconds = 365 * 24 * 3600;

/**
 * A container runtime behind a CRI v1 endpoint (containerd, CRI-O, or `serveRuntime`). Beyond the contract:
 *
 * - Logs are the files that the runtime writes; it must run on this host.
 * - The CRI sends no signals but a container's stop signal and SIGKILL; another one is `invalid`.
 * - Pods get their network from the kubelet: the runtime is given a CNI configuration that wires nothing.
 */
export function createRemoteRuntime(config: RemoteRuntimeConfig, deps: { readonly clock: Clock; readonly log: Logger }): RemoteRuntime {
  const timeoutMs = config.timeoutMs ?? 120_000;
  const channel = createCriChannel({ endpoint: config.endpoint, timeoutMs });
  const call = <R>(method: string, request: object, o?: CallOptions): Promise<R> => channel.call<R>('RuntimeService', method, request, o);
  const read = { repeatable: true };
  const sandboxConfigs = new Map<string, Outgoing<WireSandboxConfig>>();
  const sandboxOfContainer = new Map<string, string>();
  const closed = new AbortController();
  const clean = <T extends { readonly labels: Strings; readonly annotations: Strings }>(o: T): T => ({
    ...o,
    labels: without(o.labels, prefix),
    annotations: without(o.annotations, prefix),
  });
  const unlessGone = async (promise: Promise<unknown>): Promise<void> => {
    await promise.catch((error: unknown) => {
      if (!isRuntimeError(error, 'not-found')) throw error;
    });
  };
  const podLabels = (m: { name: string; namespace: string; uid: string }): Record<string, string> => ({
    [names.podName]: m.name,
    [names.podNamespace]: m.namespace,
    [names.podUid]: m.uid,
    [names.instance]: config.instance,
  });
  const logDirectory = (m: { name: string; namespace: string; uid: string }): string =>
    path.join(config.podLogsDirectory, `${m.namespace}_${m.name}_${m.uid}`);
  const renderSandbox = (c: PodSandboxConfig): Outgoing<WireSandboxConfig> => ({
    ...toWireSandboxConfig(c),
    labels: { ...c.labels, ...podLabels(c.metadata) },
    annotations: { ...c.annotations, ...(c.cgroupParent === undefined ? {} : { [names.cgroupParent]: c.cgroupParent }) },
    logDirectory: logDirectory(c.metadata),
  });
  const rawSandboxStatus = (id: string): Promise<{ status: WireSandboxStatus; info: Strings }> =>
    call('PodSandboxStatus', { podSandboxId: id, verbose: true }, read);
  const sandboxStatus: RuntimeService['podSandboxStatus'] = async (id) => {
    const { status, info } = await rawSandboxStatus(id);
    const verbose = info['info'] === undefined ? {} : (JSON.parse(info['info']) as { pid?: number });
    return clean(fromWireSandboxStatus(status, status.state === 'SANDBOX_READY' ? verbose.pid : undefined));
  };
  /** What CreateContainer must be told of the sandbox again; after a restart from what the sandbox says of itself. */
  const sandboxConfigOf = async (id: string): Promise<Outgoing<WireSandboxConfig>> => {
    const known = sandboxConfigs.get(id);
    if (known !== undefined) return known;
    const { status: s } = await rawSandboxStatus(id);
    const found: Outgoing<WireSandboxConfig> = {
      metadata: s.metadata ?? undefined,
      labels: s.labels,
      annotations: s.annotations,
      logDirectory: s.metadata === null ? '' : logDirectory(s.metadata),
      linux: {
        cgroupParent: s.annotations[names.cgroupParent],
        securityContext: { namespaceOptions: s.linux?.namespaces?.options ?? undefined },
      },
    };
    sandboxConfigs.set(id, found);
    return found;
  };
  const rawStatus = async (id: string): Promise<WireContainerStatus> =>
    (await call<{ status: WireContainerStatus }>('ContainerStatus', { containerId: id }, read)).status;
  const listContainers: RuntimeService['listContainers'] = async (filter = {}) => {
    const labelSelector = { [names.instance]: config.instance, ...(filter.podUid === undefined ? {} : { [names.podUid]: filter.podUid }) };
    const state = filter.state === undefined ? undefined : { state: toWireState(filter.state) };
    const { containers } = await call<{ containers: readonly WireContainer[] }>(
      'ListContainers',
      { filter: { id: filter.id, podSandboxId: filter.podSandboxId, state, labelSelector } },
      read,
    );
    for (const c of containers) sandboxOfContainer.set(c.id, c.podSandboxId);
    return containers.map((c): Container => clean(fromWireContainer(c)));
  };
  const containerStatus: RuntimeService['containerStatus'] = async (id) => {
    const status = await rawStatus(id);
    if (!sandboxOfContainer.has(id)) await listContainers({ id });
    return clean(fromWireContainerStatus(status, sandboxOfContainer.get(id) ?? ''));
  };
  const isRunning = async (id: string): Promise<boolean> => {
    try {
      return (await rawStatus(id)).state === 'CONTAINER_RUNNING';
    } catch (error) {
      if (isRuntimeError(error, 'not-found')) return false;
      throw error;
    }
  };
  /** Runtimes differ in what they answer for a container that has ended: nothing, or one of several errors. */
  const readStats = async (id: string): Promise<WireContainerStats | undefined> => {
    try {
      return (await call<{ stats: WireContainerStats | null }>('ContainerStats', { containerId: id }, read)).stats ?? undefined;
    } catch (error) {
      if (!isRuntimeError(error, 'not-found') && (await isRunning(id))) throw error;
      return undefined;
    }
  };
  const unknownIfGone = (error: unknown): undefined => {
    if (!isRuntimeError(error, 'not-found')) throw error;
    return undefined;
  };
  const removeContainer: RuntimeService['removeContainer'] = async (id) => {
    const status = await rawStatus(id).catch(unknownIfGone);
    await unlessGone(call('RemoveContainer', { containerId: id }));
    sandboxOfContainer.delete(id);
    // The runtime leaves the files to its client.
    if (status?.logPath.startsWith(`${config.podLogsDirectory}/`)) await removeLogFile(status.logPath);
  };
  const rotate = async (id: string, limits: LogLimits): Promise<void> => {
    const { logPath } = await rawStatus(id);
    if (!logPath.startsWith(`${config.podLogsDirectory}/`)) return;
    const reopen = async (): Promise<void> => {
      await call('ReopenContainerLog', { containerId: id });
    };
    await rotateLog(logPath, limits, { reopen, stamp: new Date(deps.clock.now()).toISOString().replace(/\D/g, '') });
  };
  const { version, status, removeTraces } = createRemoteStatus({ call, clock: deps.clock, closed: closed.signal });
  /** The streaming calls answer with a URL on this host. */
  const urlOf = async (method: string, request: object): Promise<string> => (await call<{ url: string }>(method, request)).url;

  const runtime: RuntimeService = {
    version,
    status,
    runPodSandbox: async (sandbox, { signal, onCreated }) => {
      const wire = renderSandbox(sandbox);
      const request = { config: wire, runtimeHandler: sandbox.runtimeHandler };
      const { podSandboxId } = await withSandboxAddress({ uid: sandbox.metadata.uid, address: sandbox.addresses?.[0] }, () =>
        call<{ podSandboxId: string }>('RunPodSandbox', request, { signal, timeoutMs: timeoutMs * 2 }),
      );
      sandboxConfigs.set(podSandboxId, wire);
      onCreated?.(podSandboxId);
      return sandboxStatus(podSandboxId);
    },
    stopPodSandbox: (id) => unlessGone(call('StopPodSandbox', { podSandboxId: id })),
    removePodSandbox: async (id) => {
      for (const c of await listContainers({ podSandboxId: id })) await removeContainer(c.id);
      await unlessGone(call('RemovePodSandbox', { podSandboxId: id }));
      sandboxConfigs.delete(id);
      for (const [container, sandbox] of sandboxOfContainer) if (sandbox === id) sandboxOfContainer.delete(container);
    },
    podSandboxStatus: sandboxStatus,
    listPodSandbox: async (filter = {}) => {
      const labelSelector = {
        [names.instance]: config.instance,
        ...(filter.podUid === undefined ? {} : { [names.podUid]: filter.podUid }),
      };
      const state = filter.state === undefined ? undefined : { state: filter.state === 'ready' ? 'SANDBOX_READY' : 'SANDBOX_NOTREADY' };
      const { items } = await call<{ items: readonly WireSandbox[] }>(
        'ListPodSandbox',
        { filter: { id: filter.id, state, labelSelector } },
        read,
      );
      return items.map((s) => clean(fromWireSandbox(s)));
    },

    createContainer: async (sandboxId, container) => {
      const part = container.mounts.find((m) => m.image?.subPath !== undefined);
      if (part !== undefined) {
        const told = await version();
        if (!mountsImageSubPaths(told)) {
          const why = `${told.runtimeName} ${told.runtimeVersion} can't mount a subPath of an image`;
          throw new RuntimeError('invalid', `image volume at ${part.containerPath}: ${why}`);
        }
      }
      const sandboxConfig = await sandboxConfigOf(sandboxId);
      const { uid = '', name = '', namespace = '' } = sandboxConfig.metadata ?? {};
      const { containerId } = await call<{ containerId: string }>('CreateContainer', {
        podSandboxId: sandboxId,
        config: {
          ...toWireContainerConfig(container),
          labels: { ...container.labels, ...podLabels({ uid, name, namespace }), [names.containerName]: container.metadata.name },
          logPath: `${container.metadata.name}/${container.metadata.attempt}.log`,
        },
        sandboxConfig,
      });
      sandboxOfContainer.set(containerId, sandboxId);
      return containerId;
    },
    startContainer: async (id) => {
      await call('StartContainer', { containerId: id });
    },
    signalContainer: async (id, signalName) => {
      if (signalName === 'SIGKILL') return unlessGone(call('StopContainer', { containerId: id, timeout: 0 }));
      const status = await rawStatus(id).catch(unknownIfGone);
      if (status?.state !== 'CONTAINER_RUNNING') return;
      const known = fromWireSignal(status.stopSignal);
      if (known !== undefined && known !== signalName) {
        throw new RuntimeError('invalid', `the CRI can only send ${known}, the stop signal of container ${id}, not ${signalName}`);
      }
      // The call answers when the container has stopped; whoever waits for that uses waitContainer.
      unlessGone(call('StopContainer', { containerId: id, timeout: graceSeconds }, { timeoutMs: 'none', signal: closed.signal })).catch(
        (error: unknown) => {
          if (!closed.signal.aborted) deps.log.warn({ err: error, container: id }, 'the stop signal could not be sent');
        },
      );
    },
    waitContainer: async (id, signal) => {
      for (let waitMs = 10; await isRunning(id); waitMs = Math.min(waitMs * 2, 500)) {
        await deps.clock.sleep(waitMs, signal).catch(() => undefined);
        signal.throwIfAborted();
      }
    },
    removeContainer,
    listContainers,
    containerStatus,
    updateContainerResources: async (id, resources) => {
      await call('UpdateContainerResources', { containerId: id, linux: toWireResources(resources) });
    },
    containerStats: async (id) => {
      const stats = await readStats(id);
      return stats === undefined ? undefined : fromWireStats(id, stats);
    },
    containerFilesystem: async (id) => {
      const written = (await readStats(id))?.writableLayer;
      const used = written?.usedBytes?.value;
      const inodes = written?.inodesUsed?.value;
      return used === undefined ? undefined : { usedBytes: used, ...(inodes === undefined ? {} : { inodesUsed: inodes }) };
    },

    execSync: async (id, command, o) => {
      const request = { containerId: id, cmd: command, timeout: Math.ceil(o.timeoutMs / 1000) };
      const r = await call<{ stdout: Buffer; stderr: Buffer; exitCode: number }>('ExecSync', request, {
        signal: o.signal,
        timeoutMs: o.timeoutMs,
      });
      return { exitCode: r.exitCode, stdout: r.stdout, stderr: r.stderr };
    },
    exec: async (id, r) => {
      const streams = { tty: r.tty, stdin: r.stdin, stdout: true, stderr: !r.tty };
      return dialProcess(await urlOf('Exec', { containerId: id, cmd: r.command, ...streams }), streams);
    },
    attach: async (id, r) => {
      const streams = { tty: r.tty, stdin: r.stdin, stdout: r.stdout, stderr: r.stderr && !r.tty };
      return dialProcess(await urlOf('Attach', { containerId: id, ...streams }), streams);
    },
    portForward: async (sandboxId) => {
      const { state } = await sandboxStatus(sandboxId);
      if (state !== 'ready') throw new RuntimeError('conflict', `sandbox ${sandboxId} is not running`);
      return createRemotePortForwarder((port) => urlOf('PortForward', { podSandboxId: sandboxId, port: [port] }));
    },
    containerLogs: async function* (id, o) {
      const { logPath } = await rawStatus(id);
      if (logPath === '') throw new RuntimeError('not-found', `the runtime keeps no log of container ${id}`);
      yield* readLogFile(logPath, o, { clock: deps.clock, isRunning: () => isRunning(id) });
    },
    events: (signal) =>
      followRemoteEvents(
        {
          channel,
          clock: deps.clock,
          list: () => listContainers(),
          podUidOf: (c) => c.labels[names.podUid] ?? '',
        },
        signal,
      ),
  };
  return {
    runtime,
    images: createRemoteImages(channel),
    keepLogs: async (limits, signal) => {
      while (!signal.aborted) {
        // Runtimes that are away are told of elsewhere.
        for (const c of await listContainers({ state: 'running' }).catch(() => [])) {
          if (signal.aborted) return;
          await rotate(c.id, limits).catch((error: unknown) => {
            if (!isRuntimeError(error, 'not-found')) deps.log.warn({ err: error, container: c.id }, 'a log could not be rotated');
          });
        }
        await deps.clock.sleep(rotationMs, signal).catch(() => undefined);
      }
    },
    removeTraces,
    close: () => {
      closed.abort();
      channel.close();
    },
  };
}
