import type { ContainerInspectInfo } from 'dockerode';
import {
  type ContainerConfig,
  type ContainerResources,
  type ContainerStatus,
  type ImageService,
  isRuntimeError,
  RuntimeError,
  type RuntimeService,
} from '@skiff/cri';
import type { DockerRuntimeConfig } from './config.ts';
import { renderContainerCreate } from './container-create.ts';
import { applyCgroupSettings, type CgroupSetting, cgroupSettings } from './container-cgroup.ts';
import { describeInspected, describeListed } from './container-status.ts';
import type { Engine } from './engine.ts';
import { asRuntimeError, engineMessage, engineStatusCode, unlessGone } from './engine-error.ts';
import type { EngineFactsReader } from './engine-facts.ts';
import { containerName, labelNames } from './labels.ts';
import { renderResources, renderUser } from './host-config.ts';
import { applyGroupsPolicy, type ContainerUser, type ImageAccountsReader, isExplicitUser, resolveUser } from './image-accounts.ts';
import { isOomScoreRefusal } from './oom-score.ts';
import { ignoreStopped, removeQuietly, type Sandboxes } from './sandboxes.ts';
import { readContainerStats } from './stats.ts';

export type Containers = Pick<
  RuntimeService,
  | 'createContainer'
  | 'startContainer'
  | 'signalContainer'
  | 'waitContainer'
  | 'removeContainer'
  | 'listContainers'
  | 'containerStatus'
  | 'updateContainerResources'
  | 'containerStats'
  | 'containerFilesystem'
>;

export function createContainers(o: {
  engine: Engine;
  facts: EngineFactsReader;
  sandboxes: Sandboxes;
  images: ImageService & { imageIdOf(id: string): Promise<string> };
  accounts: ImageAccountsReader;
  config: DockerRuntimeConfig;
}): Containers {
  const { engine, facts, sandboxes, accounts, config } = o;

  /** To be written when the container has its cgroup, with the cgroup's parent. Those of containers that are never started grow old here. */
  const settings = new Map<string, { readonly parent: string; readonly list: readonly CgroupSetting[] }>();
  const maxSettings = 10_000;

  /** The image's accounts are needed where the engine's own reading of them is not Kubernetes'. */
  const userOf = async (container: ContainerConfig): Promise<{ user: string; groups: readonly number[] }> => {
    const s = container.securityContext;
    const plain = { user: renderUser(s), groups: s.supplementalGroups };
    const policy = s.supplementalGroupsPolicy ?? 'merge';
    if (policy === 'strict' ? isExplicitUser(plain.user) : s.runAsGroup === undefined) return plain;
    const docker = await engine.docker();
    const image = await docker
      .getImage(container.image)
      .inspect()
      .catch((error: unknown) => {
        throw asRuntimeError(error);
      });
    // A user that the image does not know is the engine's to complain of.
    return applyGroupsPolicy(policy, { ...plain, accounts: await accounts.get(image.Id) }) ?? plain;
  };

  const createContainer = async (sandboxId: string, container: ContainerConfig): Promise<string> => {
    const [docker, sandbox, f, user] = await Promise.all([engine.docker(), sandboxes.record(sandboxId), facts.get(), userOf(container)]);
    const body = await renderContainerCreate({
      config: container,
      sandbox: sandbox.status,
      runtime: config,
      oomScoreFloor: f.oomScoreFloor,
      recursiveReadOnly: f.recursiveReadOnlyMounts,
      cdi: f.cdi,
      cgroupParent: sandbox.cgroupParent,
      handler: sandbox.runtime,
      user,
    });
    const made = async (): Promise<string> => {
      const { id } = await docker.createContainer(body);
      const list = cgroupSettings(container.resources, f.cgroupVersion);
      if (list.length > 0) settings.set(id, { parent: sandbox.cgroupParent, list });
      const oldest = settings.keys().next();
      if (settings.size > maxSettings && oldest.done !== true) settings.delete(oldest.value);
      return id;
    };
    try {
      return await made();
    } catch (error) {
      if (engineStatusCode(error) !== 409) throw asRuntimeError(error);
      // The name is taken: by a create whose answer was lost, if it is ours and never ran.
      const leftover = await unlessGone(docker.getContainer(containerName(sandbox.status.metadata, container.metadata)).inspect());
      if (
        leftover !== undefined &&
        (leftover.State.Status !== 'created' || leftover.Config.Labels[labelNames.instance] !== config.instance)
      ) {
        throw asRuntimeError(error);
      }
      if (leftover !== undefined) await removeQuietly(docker.getContainer(leftover.Id).remove({ force: true, v: true }));
      return made().catch((again: unknown) => {
        throw asRuntimeError(again);
      });
    }
  };

  /** With whose rights the first process began. An image that can't be read, or not soon, leaves it untold: nobody waits for it. */
  const startedAs = async (c: ContainerInspectInfo): Promise<ContainerUser | undefined> => {
    if (c.State.Status === 'created') return undefined;
    const groups = (c.HostConfig.GroupAdd ?? []).map(Number);
    if (isExplicitUser(c.Config.User)) return resolveUser(c.Config.User, groups, { user: '', passwd: '', group: '' });
    const known = await accounts.soon(c.Image);
    return known === undefined ? undefined : resolveUser(c.Config.User, groups, known);
  };

  const containerStatus = async (id: string): Promise<ContainerStatus> => {
    const docker = await engine.docker();
    const found = await docker
      .getContainer(id)
      .inspect()
      .catch((error: unknown) => {
        throw asRuntimeError(error);
      });
    const [imageId, user] = await Promise.all([o.images.imageIdOf(found.Image), startedAs(found)]);
    return { ...describeInspected(found, imageId), ...(user === undefined ? {} : { user }) };
  };

  return {
    createContainer,
    containerStatus,
    startContainer: async (id) => {
      const docker = await engine.docker();
      const own = settings.get(id);
      settings.delete(id);
      try {
        await docker.getContainer(id).start();
      } catch (error) {
        const message = engineMessage(error);
        if (isOomScoreRefusal(message)) facts.noteOomScoreRefused();
        if (engineStatusCode(error) === undefined || /No such container/i.test(message)) throw asRuntimeError(error);
        throw asRuntimeError(error, 'start');
      }
      if (own === undefined) return;
      // It runs: whoever is told that it does not would neither use nor end it.
      try {
        await applyCgroupSettings(own.list, { id, parent: own.parent, facts: await facts.get() });
      } catch (error) {
        config.warn?.(error, `container ${id} runs without limits that the engine has no setting for`);
      }
    },
    signalContainer: async (id, signalName) => {
      const docker = await engine.docker();
      await docker.getContainer(id).kill({ signal: signalName }).catch(ignoreStopped);
    },
    waitContainer: async (id, signal) => {
      const docker = await engine.docker();
      try {
        await docker.getContainer(id).wait({ condition: 'not-running', abortSignal: signal });
      } catch (error) {
        if (signal.aborted) throw signal.reason;
        if (engineStatusCode(error) !== 404) throw asRuntimeError(error);
      }
    },
    removeContainer: async (id) => {
      const docker = await engine.docker();
      settings.delete(id);
      await removeQuietly(docker.getContainer(id).remove({ force: true, v: true }));
    },
    listContainers: async (filter = {}) => {
      const docker = await engine.docker();
      const label = [`${labelNames.instance}=${config.instance}`, `${labelNames.type}=container`];
      if (filter.podUid !== undefined) label.push(`${labelNames.podUid}=${filter.podUid}`);
      if (filter.podSandboxId !== undefined) label.push(`${labelNames.sandboxId}=${filter.podSandboxId}`);
      const found = await docker
        .listContainers({ all: true, filters: { label, ...(filter.id === undefined ? {} : { id: [filter.id] }) } })
        .catch((error: unknown) => {
          throw asRuntimeError(error);
        });
      return found.map(describeListed).filter((c) => filter.state === undefined || c.state === filter.state);
    },
    updateContainerResources: async (id, resources) => {
      const docker = await engine.docker();
      const f = await facts.get();
      try {
        await docker.getContainer(id).update(renderUpdate(resources));
        const list = cgroupSettings(resources, f.cgroupVersion);
        if (list.length === 0) return;
        // The engine writes swap anew with memory.
        const { HostConfig } = await docker.getContainer(id).inspect();
        await applyCgroupSettings(list, { id, parent: HostConfig.CgroupParent ?? '', facts: f });
      } catch (error) {
        throw asRuntimeError(error);
      }
    },
    containerFilesystem: async (id) => {
      const docker = await engine.docker();
      const found = (await unlessGone(docker.getContainer(id).inspect({ size: true } as object))) as { SizeRw?: number } | undefined;
      return found?.SizeRw === undefined ? undefined : { usedBytes: found.SizeRw };
    },
    containerStats: async (id) => {
      try {
        return await readContainerStats(engine, id);
      } catch (error) {
        if (isRuntimeError(error, 'not-found')) return undefined;
        if (error instanceof RuntimeError) throw error;
        throw asRuntimeError(error);
      }
    },
  };
}

/** POST /containers/x/update takes only what changes; it has no score and no removal of limits. */
function renderUpdate(resources: ContainerResources): Record<string, unknown> {
  const all = renderResources(resources, -1000);
  const keep: Record<string, unknown> = {};
  if (resources.cpuPeriodMicros !== undefined) keep['CpuPeriod'] = all.CpuPeriod;
  if (resources.cpuQuotaMicros !== undefined) keep['CpuQuota'] = all.CpuQuota;
  if (resources.cpuShares !== undefined) keep['CpuShares'] = all.CpuShares;
  if (resources.memoryLimitBytes !== undefined) {
    keep['Memory'] = all.Memory;
    keep['MemorySwap'] = all.MemorySwap;
  }
  if (resources.cpusetCpus !== undefined) keep['CpusetCpus'] = resources.cpusetCpus;
  if (resources.pidsLimit !== undefined) keep['PidsLimit'] = resources.pidsLimit;
  return keep;
}
