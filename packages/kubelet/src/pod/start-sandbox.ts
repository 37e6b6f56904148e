import { mkdir } from 'node:fs/promises';
import type { PodSandboxConfig, PodSandboxStatus } from '@skiff/cri';
import { annotationNames } from '../container/labels.ts';
import { computeSeccomp, ignoredSELinuxOptions, sandboxNamespaces } from '../container/security-context.ts';
import { hostPortsOf } from '../network/host-port.ts';
import { computeHostname, kernelHostname } from '../network/hostname.ts';
import { podPaths } from '../volumes/pod-paths.ts';
import type { PodContext } from './pod-context.ts';
import { isHostNetwork, isStaticPod, type PodSnapshot } from './pod-snapshot.ts';

/** The sandbox is protected from the kernel's killer as upstream's is. */
const sandboxOomScoreAdj = -998;
/** A kubelet that has just started knows its range and has its rules within moments. */
const networkWaitMs = 5_000;

export interface StartedSandbox {
  /** Resolves as soon as containers may be created in it. */
  readonly created: Promise<string>;
  /** Resolves when it runs and is connected: containers may be started. */
  readonly ready: Promise<PodSandboxStatus>;
  readonly ips: readonly string[];
}

/** Begins to make a pod's sandbox. What fails rejects both promises, and nothing of it is left. */
export async function startSandbox(pod: PodSnapshot, attempt: number, context: PodContext, signal: AbortSignal): Promise<StartedSandbox> {
  const { runtime, network, node } = context;
  const { uid } = pod.metadata;
  const owner = { uid, attempt };
  const names = computeHostname(pod, context.dns.cluster.domain);
  const hostNetwork = isHostNetwork(pod);
  const hostPorts = hostNetwork ? [] : hostPortsOf(pod);
  if (!hostNetwork) await network.waitReady(networkWaitMs, signal);
  const [cgroupParent, runtimeHandler] = await Promise.all([
    context.cgroups.ensure(pod),
    pod.spec.runtimeClassName === undefined || pod.spec.runtimeClassName === ''
      ? ''
      : context.runtimeHandler(pod.spec.runtimeClassName, signal),
    mkdir(context.hostMount.local(podPaths(context.rootDirectory, uid).root), { recursive: true }),
  ]);
  const ignored = ignoredSELinuxOptions(pod, context.security);
  if (ignored !== undefined) context.event(pod, 'Warning', 'SELinuxNotEnabled', ignored);
  const seccomp = computeSeccomp(pod, undefined, context.security);
  // Last: what has addresses is either connected or gives them back.
  const ips = hostNetwork ? [] : network.allocate(owner);
  const config: PodSandboxConfig = {
    metadata: { name: pod.metadata.name, namespace: pod.metadata.namespace, uid, attempt },
    hostname: kernelHostname(pod, names),
    labels: { ...pod.metadata.labels },
    annotations: {
      ...(ips.length === 0 ? {} : { [annotationNames.ips]: ips.join(',') }),
      ...(hostPorts.length === 0 ? {} : { [annotationNames.hostPorts]: JSON.stringify(hostPorts) }),
      ...(isStaticPod(pod) ? { [annotationNames.source]: pod.metadata.annotations?.['kubernetes.io/config.source'] ?? '' } : {}),
    },
    ...(ips.length === 0 ? {} : { addresses: ips }),
    runtimeHandler,
    namespaces: sandboxNamespaces(pod),
    cgroupParent,
    sysctls: Object.fromEntries((pod.spec.securityContext?.sysctls ?? []).map((s) => [s.name.replaceAll('/', '.'), s.value])),
    seccomp,
    oomScoreAdj: sandboxOomScoreAdj,
    privileged: [...(pod.spec.initContainers ?? []), ...pod.spec.containers].some((c) => c.securityContext?.privileged === true),
  };
  let announce: (id: string) => void = () => undefined;
  let refuse: (error: unknown) => void = () => undefined;
  const created = new Promise<string>((resolve, reject) => {
    announce = resolve;
    refuse = reject;
  });
  created.catch(() => undefined);
  const run = async (): Promise<PodSandboxStatus> => {
    let sandbox: PodSandboxStatus | undefined;
    try {
      sandbox = await runtime.runPodSandbox(config, { signal, onCreated: announce });
      if (!hostNetwork) {
        if (sandbox.pid === undefined) throw new Error('the runtime does not tell where the sandbox is');
        await network.attach(owner, { pid: sandbox.pid, addresses: ips, hostPorts }).catch((error: unknown) => {
          throw new Error(`failed to set up the pod's network: ${(error as Error).message}`, { cause: error });
        });
      }
      announce(sandbox.id);
      context.metrics.sandboxStarted();
      return sandbox;
    } catch (error) {
      refuse(error);
      if (!hostNetwork)
        await network.detach(owner).catch((e: unknown) => context.log.warn({ err: e }, 'a half-made network could not be removed'));
      if (sandbox !== undefined) await runtime.removePodSandbox(sandbox.id);
      throw error;
    }
  };
  const ready = run();
  ready.catch(() => undefined);
  return { created, ready, ips: hostNetwork ? node.addresses : ips };
}
