import type { ContainerCreateOptions } from 'dockerode';
import { type ContainerConfig, type PodSandboxStatus, RuntimeError } from '@skiff/cri';
import type { DockerRuntimeConfig } from './config.ts';
import { renderMount, renderResources, renderSecurityOptions } from './host-config.ts';
import { containerName, renderContainerLabels } from './labels.ts';

const pidMode = (sandbox: PodSandboxStatus, config: ContainerConfig): string => {
  const s = config.securityContext;
  if (s.targetContainerId !== undefined) return `container:${s.targetContainerId}`;
  if (s.pid === 'node') return 'host';
  return s.pid === 'pod' ? `container:${sandbox.id}` : '';
};

/** The body of POST /containers/create for an application container. */
export async function renderContainerCreate(o: {
  config: ContainerConfig;
  sandbox: PodSandboxStatus;
  runtime: DockerRuntimeConfig;
  oomScoreFloor: number;
  recursiveReadOnly: boolean;
  /** The engine knows devices by CDI names. */
  cdi: boolean;
  cgroupParent: string;
  /** The sandbox's; '': the engine's default. */
  handler: string;
  /** As the engine is to be told. */
  user: { readonly user: string; readonly groups: readonly number[] };
}): Promise<ContainerCreateOptions> {
  const { config, sandbox } = o;
  const s = config.securityContext;
  if (config.mounts.some((m) => m.recursiveReadOnly === true) && !o.recursiveReadOnly) {
    throw new RuntimeError('invalid', 'recursive read-only mounts need Docker Engine 25 or newer');
  }
  if ((config.cdiDevices ?? []).length > 0 && !o.cdi)
    throw new RuntimeError('invalid', 'devices by CDI names need Docker Engine 25 or newer with its feature "cdi"');
  return {
    name: containerName(sandbox.metadata, config.metadata),
    Image: config.imageId ?? config.image,
    // An entrypoint of its own makes the engine forget the image's command, as Kubernetes asks for.
    ...(config.command.length > 0 ? { Entrypoint: [...config.command] } : {}),
    ...(config.args.length > 0 || config.command.length > 0 ? { Cmd: [...config.args] } : {}),
    ...(config.workingDir === undefined || config.workingDir === '' ? {} : { WorkingDir: config.workingDir }),
    Env: config.envs.map((e) => `${e.name}=${e.value}`),
    User: o.user.user,
    Labels: renderContainerLabels({
      instance: o.runtime.instance,
      pod: sandbox.metadata,
      sandboxId: sandbox.id,
      metadata: config.metadata,
      image: config.image,
      labels: config.labels,
      annotations: config.annotations,
    }),
    Tty: config.tty,
    OpenStdin: config.stdin,
    StdinOnce: config.stdinOnce,
    ...(config.stopSignal === undefined ? {} : { StopSignal: config.stopSignal }),
    Healthcheck: { Test: ['NONE'] },
    HostConfig: {
      NetworkMode: `container:${sandbox.id}`,
      IpcMode: sandbox.namespaces.ipc === 'node' ? 'host' : `container:${sandbox.id}`,
      PidMode: pidMode(sandbox, config),
      ...(sandbox.namespaces.network === 'node' ? { UTSMode: 'host' } : {}),
      Mounts: config.mounts.map((m) => renderMount(m, { knowsRecursion: o.recursiveReadOnly })),
      Devices: config.devices.map((d) => ({ PathOnHost: d.hostPath, PathInContainer: d.containerPath, CgroupPermissions: d.permissions })),
      ...((config.cdiDevices ?? []).length === 0 ? {} : { DeviceRequests: [{ Driver: 'cdi', DeviceIDs: [...(config.cdiDevices ?? [])] }] }),
      Privileged: s.privileged,
      CapAdd: [...s.addCapabilities],
      CapDrop: [...s.dropCapabilities],
      GroupAdd: o.user.groups.map(String),
      ReadonlyRootfs: s.readOnlyRootFilesystem,
      SecurityOpt: await renderSecurityOptions(s),
      ...(s.unmaskedProc ? { MaskedPaths: [], ReadonlyPaths: [] } : {}),
      ...(s.pathProtection === undefined
        ? {}
        : { MaskedPaths: [...s.pathProtection.masked], ReadonlyPaths: [...s.pathProtection.readOnly] }),
      LogConfig: { Type: 'json-file', Config: { 'max-size': o.runtime.logMaxSize, 'max-file': String(o.runtime.logMaxFiles) } },
      RestartPolicy: { Name: 'no' },
      CgroupParent: o.cgroupParent,
      ...(o.handler === '' ? {} : { Runtime: o.handler }),
      ...renderResources(config.resources, o.oomScoreFloor),
    },
  };
}
