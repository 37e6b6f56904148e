import type { ContainerCreateOptions } from 'dockerode';
import { type PodSandboxConfig, RuntimeError } from '@skiff/cri';
import type { DockerRuntimeConfig } from './config.ts';
import { renderSecurityOptions } from './host-config.ts';
import { renderSandboxLabels, sandboxName } from './labels.ts';

/** CPU weight of the pause process (upstream's minimum). */
const sandboxCpuShares = 2;

/** The body of POST /containers/create for a sandbox. Its network, if it is the pod's own, is left empty for the kubelet to wire. */
export async function renderSandboxCreate(o: {
  config: PodSandboxConfig;
  runtime: DockerRuntimeConfig;
  image: string;
  oomScoreFloor: number;
  runtimes: readonly string[];
}): Promise<ContainerCreateOptions> {
  const { config } = o;
  const handler = config.runtimeHandler;
  if (handler !== '' && !o.runtimes.includes(handler)) {
    throw new RuntimeError('invalid', `failed to get sandbox runtime: no runtime for "${handler}" is configured`);
  }
  const ownNetwork = config.namespaces.network === 'pod';
  return {
    name: sandboxName(config.metadata),
    Image: o.image,
    ...(ownNetwork ? { Hostname: config.hostname } : {}),
    Labels: renderSandboxLabels(o.runtime.instance, config),
    HostConfig: {
      NetworkMode: ownNetwork ? 'none' : 'host',
      ...(ownNetwork ? {} : { UTSMode: 'host' }),
      IpcMode: config.namespaces.ipc === 'node' ? 'host' : 'shareable',
      PidMode: config.namespaces.pid === 'node' ? 'host' : '',
      ...(config.dns === undefined
        ? {}
        : { Dns: [...config.dns.servers], DnsSearch: [...config.dns.searches], DnsOptions: [...config.dns.options] }),
      CapDrop: ['ALL'],
      ReadonlyRootfs: true,
      SecurityOpt: await renderSecurityOptions({ seccomp: config.seccomp, privileged: false, noNewPrivileges: true }),
      LogConfig: { Type: 'none', Config: {} },
      RestartPolicy: { Name: 'no' },
      CpuShares: sandboxCpuShares,
      OomScoreAdj: Math.max(config.oomScoreAdj, o.oomScoreFloor),
      ...(Object.keys(config.sysctls).length === 0 ? {} : { Sysctls: { ...config.sysctls } }),
      ...(config.cgroupParent === undefined ? {} : { CgroupParent: config.cgroupParent }),
      ...(handler === '' ? {} : { Runtime: handler }),
    },
  };
}
