import type { ContainerInspectInfo } from 'dockerode';
import {
  type NamespaceOptions,
  type PodSandbox,
  type PodSandboxConfig,
  type PodSandboxStatus,
  RuntimeError,
  type RuntimeService,
} from '@skiff/cri';
import type { DockerRuntimeConfig } from './config.ts';
import type { Engine } from './engine.ts';
import { asRuntimeError, engineMessage, engineStatusCode, unlessGone } from './engine-error.ts';
import type { EngineFactsReader } from './engine-facts.ts';
import { labelNames, parseSandboxMetadata, sandboxName, splitLabels } from './labels.ts';
import { isOomScoreRefusal } from './oom-score.ts';
import { ensurePauseImage } from './pause-image.ts';
import { renderSandboxCreate } from './sandbox-create.ts';

export interface SandboxRecord {
  readonly status: PodSandboxStatus;
  readonly cgroupParent: string;
  /** The engine's name for what runs it and its containers; '': its default. */
  readonly runtime: string;
}

export interface Sandboxes
  extends Pick<RuntimeService, 'runPodSandbox' | 'stopPodSandbox' | 'removePodSandbox' | 'podSandboxStatus' | 'listPodSandbox'> {
  /** What containers need to know of their sandbox; from memory when this process created or saw it. */
  record(id: string): Promise<SandboxRecord>;
}

const namespacesOf = (h: ContainerInspectInfo['HostConfig']): NamespaceOptions => ({
  network: h.NetworkMode === 'host' ? 'node' : 'pod',
  // Whether containers share the sandbox's PID namespace is their own setting; the sandbox only knows the node's.
  pid: h.PidMode === 'host' ? 'node' : 'container',
  ipc: h.IpcMode === 'host' ? 'node' : 'pod',
});

function describe(c: ContainerInspectInfo): SandboxRecord {
  const labels = c.Config.Labels ?? {};
  return {
    status: {
      id: c.Id,
      metadata: parseSandboxMetadata(labels),
      state: c.State.Running ? 'ready' : 'not-ready',
      createdAtMs: Date.parse(c.Created),
      namespaces: namespacesOf(c.HostConfig),
      ...(c.State.Running && c.State.Pid > 0 ? { pid: c.State.Pid } : {}),
      ...splitLabels(labels),
    },
    cgroupParent: c.HostConfig.CgroupParent ?? '',
    // One that was made with the default says so; of others the engine knows best, whatever a label of former versions says.
    runtime: labels[labelNames.runtimeHandler] === '' ? '' : (c.HostConfig.Runtime ?? ''),
  };
}

export function createSandboxes(o: { engine: Engine; facts: EngineFactsReader; config: DockerRuntimeConfig }): Sandboxes {
  const { engine, facts, config } = o;
  const records = new Map<string, SandboxRecord>();
  let pauseImage: Promise<string> | undefined;

  const imageName = (): Promise<string> => {
    pauseImage ??= ensurePauseImage(engine, config.pauseImage).catch((error: unknown) => {
      pauseImage = undefined;
      throw error;
    });
    return pauseImage;
  };
  const inspect = async (id: string): Promise<SandboxRecord> => {
    const docker = await engine.docker();
    const found = describe(
      await docker
        .getContainer(id)
        .inspect()
        .catch((error: unknown) => {
          records.delete(id);
          throw asRuntimeError(error);
        }),
    );
    records.set(id, found);
    return found;
  };
  /** A name that is taken by our own leftover (a create whose answer was lost) is freed. */
  const removeLeftover = async (name: string): Promise<boolean> => {
    const docker = await engine.docker();
    const found = await unlessGone(docker.getContainer(name).inspect());
    if (found === undefined) return true;
    if (found.State.Running || found.Config.Labels?.[labelNames.instance] !== config.instance) return false;
    await unlessGone(docker.getContainer(found.Id).remove({ force: true, v: true }));
    return true;
  };
  const create = async (sandbox: PodSandboxConfig, retry = true): Promise<string> => {
    const [docker, image, f] = await Promise.all([engine.docker(), imageName(), facts.get()]);
    const body = await renderSandboxCreate({
      config: sandbox,
      runtime: config,
      image,
      oomScoreFloor: f.oomScoreFloor,
      runtimes: f.handlers,
    });
    try {
      return (await docker.createContainer(body)).id;
    } catch (error) {
      if (retry && engineStatusCode(error) === 404) {
        // Somebody pruned the image.
        pauseImage = undefined;
        return create(sandbox, false);
      }
      if (retry && engineStatusCode(error) === 409 && (await removeLeftover(sandboxName(sandbox.metadata)))) return create(sandbox, false);
      throw asRuntimeError(error);
    }
  };

  const removeAll = async (id: string): Promise<void> => {
    const docker = await engine.docker();
    const contained = await docker.listContainers({ all: true, filters: { label: [`${labelNames.sandboxId}=${id}`] } });
    const force = { force: true, v: true };
    await Promise.all(contained.map((c) => removeQuietly(docker.getContainer(c.Id).remove(force))));
    await removeQuietly(docker.getContainer(id).remove(force));
    records.delete(id);
  };

  const runPodSandbox: RuntimeService['runPodSandbox'] = async (sandbox, { signal, onCreated }) => {
    signal.throwIfAborted();
    const id = await create(sandbox);
    try {
      const docker = await engine.docker();
      // Containers may be created as soon as the engine knows the sandbox.
      records.set(id, {
        status: {
          id,
          metadata: sandbox.metadata,
          state: 'not-ready',
          createdAtMs: Date.now(),
          namespaces: sandbox.namespaces,
          labels: sandbox.labels,
          annotations: sandbox.annotations,
        },
        cgroupParent: sandbox.cgroupParent ?? '',
        runtime: sandbox.runtimeHandler,
      });
      onCreated?.(id);
      await docker.getContainer(id).start();
      const record = await inspect(id);
      if (record.status.state !== 'ready') throw new RuntimeError('start', `sandbox ${id} ended at once`);
      return { ...record.status, namespaces: sandbox.namespaces };
    } catch (error) {
      await removeAll(id);
      if (sandbox.oomScoreAdj < 0 && isOomScoreRefusal(engineMessage(error)) && (await facts.get()).oomScoreFloor < 0) {
        facts.noteOomScoreRefused();
        return runPodSandbox(sandbox, { signal, ...(onCreated === undefined ? {} : { onCreated }) });
      }
      throw asRuntimeError(error, 'start');
    }
  };

  return {
    runPodSandbox,
    record: async (id) => records.get(id) ?? (await inspect(id)),
    podSandboxStatus: async (id) => (await inspect(id)).status,
    stopPodSandbox: async (id) => {
      const docker = await engine.docker();
      const contained = await docker.listContainers({ filters: { label: [`${labelNames.sandboxId}=${id}`] } });
      const kill = async (containerId: string): Promise<void> => {
        const container = docker.getContainer(containerId);
        await container.kill({ signal: 'SIGKILL' }).catch(ignoreStopped);
        await unlessGone(container.wait());
      };
      await Promise.all([id, ...contained.map((c) => c.Id)].map(kill));
    },
    removePodSandbox: removeAll,
    listPodSandbox: async (filter = {}) => {
      const docker = await engine.docker();
      const label = [`${labelNames.instance}=${config.instance}`, `${labelNames.type}=podsandbox`];
      if (filter.podUid !== undefined) label.push(`${labelNames.podUid}=${filter.podUid}`);
      const found = await docker
        .listContainers({ all: true, filters: { label, ...(filter.id === undefined ? {} : { id: [filter.id] }) } })
        .catch((error: unknown) => {
          throw asRuntimeError(error);
        });
      return found
        .map(
          (c): PodSandbox => ({
            id: c.Id,
            metadata: parseSandboxMetadata(c.Labels),
            state: c.State === 'running' ? 'ready' : 'not-ready',
            createdAtMs: c.Created * 1000,
            ...splitLabels(c.Labels),
          }),
        )
        .filter((s) => filter.state === undefined || s.state === filter.state);
    },
  };
}

/** 404: no such container; 409: it is not running. */
export function ignoreStopped(error: unknown): void {
  const code = engineStatusCode(error);
  if (code !== 404 && code !== 409) throw asRuntimeError(error);
}

/** Gone, or being removed by somebody already: both are what was asked for. */
export async function removeQuietly(removal: Promise<unknown>): Promise<void> {
  try {
    await removal;
  } catch (error) {
    const code = engineStatusCode(error);
    if (code === 404 || (code === 409 && /already in progress/.test(engineMessage(error)))) return;
    throw asRuntimeError(error);
  }
}
