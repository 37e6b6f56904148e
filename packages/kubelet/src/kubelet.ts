import { chmod, mkdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { type Node, node as nodes, pod as pods, runtimeClass as runtimeClasses, service as services } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import { type Client, createEventRecorder, createInformer } from '@skiff/client';
import { aborted, childSignal, type Clock, type Logger, supervise } from '@skiff/component-base';
import type { ContainerRuntime, Image } from '@skiff/cri';
import type { KubeletConfig } from './config/kubelet-config.ts';
import { createCgroups } from './cgroups/create-cgroups.ts';
import { createLogLinks } from './container/log-links.ts';
import { createHostMount } from './host/host-mount.ts';
import { runCommand } from './host/run-command.ts';
import { BackOff } from './images/back-off.ts';
import { createKubeletMetrics } from './metrics/kubelet-metrics.ts';
import { measureRuntime } from './metrics/measured-runtime.ts';
import { followNodes, runningSandboxes } from './network/nodes/follow-nodes.ts';
import { createPodNetwork } from './network/pod-network.ts';
import { readHostDns } from './network/resolv-conf.ts';
import { createApiContact } from './node/api-contact.ts';
import { readUsage } from './node/machine.ts';
import { createNodeReporter, nodeReference, type NodeReporter } from './node/node-reporter.ts';
import { createRegistration } from './node/registration.ts';
import { createPodObjects } from './objects/pod-objects.ts';
import { createAllocations } from './pod/allocations.ts';
import { checkFit } from './pod/resource-fit.ts';
import { createRoomMaker } from './pod/preemption.ts';
import { admitPod } from './pod/admission.ts';
import { createNodeGuards, nodeResourcesOf, waitForRuntime } from './node-guards.ts';
import { createNodeImages } from './node-images.ts';
import { createNodePlugins } from './csi/node-plugins.ts';
import { createDrain } from './pod/drain.ts';
import type { PodContext } from './pod/pod-context.ts';
import { activePods, takesRoom } from './pod/active-pods.ts';
import { createPodManager, type PodManager } from './pod/pod-manager.ts';
import { containerFieldPath, type PodSnapshot } from './pod/pod-snapshot.ts';
import { createSlots } from './pod/start-slots.ts';
import { createProbeManager } from './probe/probe-manager.ts';
import { shutdownRefusal } from './shutdown/node-shutdown.ts';
import type { NodeStats } from './stats/node-stats.ts';
import { type PodSource, staticPodsOf } from './static-pods/static-pods.ts';
import { createStatusManager } from './status/status-manager.ts';
import { createServiceAccountTokens } from './volumes/service-account-tokens.ts';
import type { Tunnels } from './tunnel/start-tunnels.ts';
import { type ClaimStats, createClaimStats } from './volumes/claim-stats.ts';
import { createLocalVolumes, type LocalVolumes } from './volumes/local-volumes.ts';
import { createPersistentVolumes, usersOfVolume } from './volumes/persistent-volumes.ts';
import { createVolumeManager } from './volumes/volume-manager.ts';

export interface Kubelet {
  run(signal: AbortSignal): Promise<void>;
  /** Set once `run` has assembled its parts. */
  readonly parts: Promise<KubeletParts>;
}

/** What the server needs of a running kubelet. */
export interface KubeletParts {
  readonly pods: PodManager;
  readonly context: PodContext;
  readonly node: NodeReporter;
  readonly runtime: ContainerRuntime;
  readonly localVolumes: LocalVolumes;
  readonly claimStats: () => Promise<readonly ClaimStats[]>;
  readonly stats: NodeStats;
}

export function createKubelet(
  config: KubeletConfig,
  deps: {
    client: Client;
    /** May read all nodes. */
    networkClient: Client;
    runtime: ContainerRuntime;
    drain: Tunnels['drain'];
    clock: Clock;
    log: Logger;
  },
): Kubelet {
  const { client, clock, log } = deps;
  const metrics = createKubeletMetrics({ nodeName: config.nodeName, startedAtMs: clock.now() });
  const runtime = measureRuntime(deps.runtime.runtime, metrics, () => clock.monotonicMs());
  const { images } = deps.runtime;
  let resolveParts: (parts: KubeletParts) => void = () => undefined;
  const parts = new Promise<KubeletParts>((resolve) => {
    resolveParts = resolve;
  });

  const assemble = async (
    signal: AbortSignal,
  ): Promise<{ parts: KubeletParts; loops: readonly (readonly [string, (s: AbortSignal) => Promise<void>])[] }> => {
    const informerDeps = { client, clock, log };
    const podInformer = createInformer(pods, { fieldSelector: `spec.nodeName=${config.nodeName}` }, informerDeps);
    const nodeInformer = createInformer<Node>(nodes, { fieldSelector: `metadata.name=${config.nodeName}` }, informerDeps);
    const serviceInformer = createInformer(services, {}, informerDeps);
    const otherNodes = createInformer<Node>(nodes, {}, { client: deps.networkClient, clock, log });
    // Lists don't wait for the runtime.
    const informing = [podInformer, nodeInformer, serviceInformer, otherNodes].map((i) => i.run(signal));
    const { status, version } = await waitForRuntime({ runtime, clock, log }, signal);
    const podsDirectory = path.join(config.rootDirectory, 'pods');
    await mkdir(podsDirectory, { recursive: true });
    // Files of Secrets are readable for every user, since any may be the container's: on the host this directory keeps others out.
    await chmod(podsDirectory, 0o750);
    const usage = await readUsage(config.rootDirectory);
    const resourcesOf = nodeResourcesOf(config);
    const resources = resourcesOf(usage);
    const events = createEventRecorder({ component: 'kubelet', host: config.nodeName }, { client, clock, log });
    const hostMount = await createHostMount(runCommand, async () => (await runtime.status().catch(() => undefined))?.daemonPid);
    const nodeAddress = config.nodeAddresses.find((a) => !a.includes(':')) ?? '127.0.0.1';
    const network = createPodNetwork(
      {
        instance: config.instance,
        nodeAddress,
        clusterCidrs: config.clusterCidrs,
        nonMasqueradeCidrs: config.nonMasqueradeCidrs,
        vxlan: config.vxlan,
        file: path.join(config.rootDirectory, 'nodes.json'),
      },
      { run: runCommand, clock, log, sandboxes: () => runningSandboxes(runtime) },
    );
    followNodes(otherNodes, { self: config.nodeName, clusterCidrs: config.clusterCidrs, nodeAddress, log }, network);
    const leaseDurationMs = config.leaseDurationSeconds * 1000;
    const contact = createApiContact(leaseDurationMs, clock);
    let volumesInUse = async (): Promise<readonly string[]> => [];
    const node = createNodeReporter(
      {
        name: config.nodeName,
        addresses: config.nodeAddresses,
        port: config.port,
        labels: config.labels,
        taints: config.taints,
        resources: resourcesOf,
        rootDirectory: config.rootDirectory,
        checkIntervalMs: config.checkIntervalMs,
        reportIntervalMs: config.reportIntervalMs,
        settleMs: leaseDurationMs,
      },
      {
        client,
        informer: nodeInformer,
        runtime,
        images,
        network,
        events,
        clock,
        log,
        resources,
        pressures: () => eviction.conditions(),
        shuttingDown: () => shutdown.inProgress,
        devices: () => devices.counts(),
        relistAgeMs: () => manager.relistAgeMs(),
        inContactSinceMs: () => contact.sinceMs(),
        volumesInUse: () => volumesInUse(),
      },
    );
    const registration = createRegistration(
      { nodeName: config.nodeName, podCidrs: config.podCidrs, leaseDurationMs },
      { client, informer: nodeInformer, node, network, events, contact, clock, log },
    );

    const staticPods = staticPodsOf(config, {
      informer: podInformer,
      client,
      node: () => node.current(),
      status: () => context.status,
      clock,
      log,
    });
    const source: PodSource = staticPods ?? podInformer;
    const manager = createPodManager({ source, context: () => context });
    const objects = createPodObjects({ onChange: (uids) => manager.poke(uids), signal }, { client, clock });
    const tokens = createServiceAccountTokens({ client, clock });
    const event: PodContext['event'] = (pod, type, reason, message, container) =>
      events.event(pod, type, reason, message, container === undefined ? {} : { fieldPath: containerFieldPath(pod, container) });
    const appArmorEnabled = (await readFile('/sys/module/apparmor/parameters/enabled', 'utf8').catch(() => 'N')).startsWith('Y');
    const seLinuxEnabled = await readFile('/sys/fs/selinux/enforce').then(
      () => true,
      () => false,
    );
    const nodeImages = createNodeImages(config, {
      images,
      imageMounts: status.imageMounts,
      client,
      objects,
      tokens,
      hostMount,
      event,
      pod: (uid) => manager.byUid(uid)?.pod,
      onPulled: (image, tookMs) => notePulled(image, tookMs),
      clock,
      log,
    });
    const plugins = createNodePlugins(
      { rootDirectory: config.rootDirectory, nodeName: config.nodeName },
      {
        client,
        hostMount,
        tokens,
        node: () => node.current(),
        onUseChange: () => node.poke(),
        event: ({ claim, podUid }, type, reason, text) => {
          const pod = manager.byUid(podUid)?.pod;
          if (pod !== undefined) events.event(pod, type, reason, text);
          events.event({ apiVersion: 'v1', kind: 'PersistentVolumeClaim', ...claim }, type, reason, text);
        },
        refresh: (uids) => manager.poke(uids),
        refreshAll: () => manager.poke(manager.workers().map((w) => w.pod.metadata.uid)),
        clock,
        log,
      },
    );
    volumesInUse = () => plugins.volumes.inUse();
    const persistent = createPersistentVolumes(
      { rootDirectory: config.rootDirectory },
      { client, hostMount, node: () => node.current(), csi: plugins.volumes },
    );
    const claimStats = createClaimStats(
      { rootDirectory: config.rootDirectory },
      { client, hostMount, run: runCommand, drivers: plugins.drivers, clock },
    );
    const localVolumes = createLocalVolumes(
      { rootDirectory: config.rootDirectory },
      { hostMount, isInUse: async (name) => (await usersOfVolume(name, config.rootDirectory, hostMount)).length > 0, log },
    );
    /** Pods that take room on the node, without the one in question. */
    const activeBeside = (pod: PodSnapshot): readonly PodSnapshot[] =>
      activePods(manager.workers()).filter((p) => p.metadata.uid !== pod.metadata.uid);
    const {
      stats,
      garbage,
      eviction,
      shutdown,
      devices,
      loops: guarding,
    } = createNodeGuards(config, {
      runtime: deps.runtime,
      cgroupVersion: status.cgroupVersion,
      hostMount,
      workers: () => manager.workers(),
      pullRecords: nodeImages.records,
      volumeImages: () => nodeImages.volumes.inUse(),
      metrics,
      events,
      onChange: () => node.poke(),
      clock,
      log,
    });
    metrics.watch({ workers: () => manager.workers(), cgroupVersion: status.cgroupVersion });
    const allocations = createAllocations(config.rootDirectory, { clock, log });
    await Promise.all([devices.load(), allocations.load()]);
    await eviction.look().catch((error: unknown) => log.warn({ err: error }, 'what the node has left could not be read yet'));
    const cgroups = createCgroups(config, {
      status,
      usage,
      hostMount,
      pods: () => activePods(manager.workers()),
      event: (type, reason, text) => events.event(nodeReference(config.nodeName), type, reason, text),
      clock,
      log,
    });
    const context: PodContext = {
      rootDirectory: config.rootDirectory,
      node: {
        name: config.nodeName,
        addresses: config.nodeAddresses,
        memoryCapacityBytes: usage.memoryCapacityBytes,
        cgroups: cgroups.facts,
        allocatable: () => node.allocatable(),
        recursiveReadOnlyMounts: status.recursiveReadOnlyMounts,
        runtimeName: version.runtimeName,
      },
      runtime,
      images: nodeImages.manager,
      network,
      volumes: createVolumeManager(
        { rootDirectory: config.rootDirectory },
        { hostMount, objects, tokens, imageVolumes: nodeImages.volumes, persistent, clock, allocatable: () => node.allocatable() },
      ),
      tokens,
      objects,
      cgroups: cgroups.pods,
      hostMount,
      logLinks: createLogLinks({ podsDirectory: config.podLogsDirectory, containersDirectory: config.containerLogsDirectory }, { log }),
      probes: createProbeManager({
        runtime,
        clock,
        log,
        signal,
        event: (pod, container, type, reason, message) => event(pod, type, reason, message, container),
        onChange: (uid) => manager.poke([uid]),
        measured: (pod, o) => metrics.probe(pod.metadata, o),
      }),
      status: createStatusManager({ client, clock, log, signal }),
      crashBackOff: new BackOff({ initialMs: Math.min(10_000, config.maxContainerRestartMs), maxMs: config.maxContainerRestartMs, clock }),
      security: { seccompDirectory: path.join(config.rootDirectory, 'seccomp'), seccompDefault: config.seccompDefault, seLinuxEnabled },
      dns: { cluster: { servers: config.clusterDns, domain: config.clusterDomain }, host: () => readHostDns(config.resolvConf) },
      event,
      metrics,
      clock,
      log,
      services: async (s, wait) => {
        if (wait) await Promise.race([serviceInformer.synced, aborted(s)]);
        s.throwIfAborted();
        return serviceInformer.list();
      },
      pullCredentials: nodeImages.credentials,
      runtimeHandler: async (name, s) => {
        const found = await client.get(runtimeClasses, { name }, { signal: s }).catch((error: unknown) => {
          if (hasReason(error, 'NotFound')) throw new Error(`failed to get sandbox runtime: RuntimeClass "${name}" not found`);
          throw error;
        });
        return found.handler;
      },
      drain: createDrain({ ask: deps.drain, services: () => serviceInformer.list(), clock }),
      fits: (pod) => checkFit(pod, { others: activeBeside(pod), allocatable: node.allocatable() }),
      admit: (pod) =>
        shutdown.inProgress
          ? shutdownRefusal
          : (admitPod(pod, {
              others: activeBeside(pod),
              allocatable: node.allocatable(),
              node: node.current(),
              appArmorEnabled,
              pressures: eviction.conditions(),
              allowedUnsafeSysctls: config.allowedUnsafeSysctls,
            }) ?? devices.admit(pod)),
      makeRoom: createRoomMaker({
        workers: () => manager.workers().filter(takesRoom),
        admit: (pod) => devices.admit(pod),
        event,
        metrics,
      }),
      devices,
      allocations,
      startSlots: createSlots(config.maxParallelStarts),
    };
    const notePulled = (image: Image, tookMs: number): void => {
      metrics.imagePulled(image.sizeBytes, tookMs / 1000);
      node.imagesChanged();
      garbage.notePulled(image).catch((error: unknown) => log.error({ err: error }, 'a fetched image could not be recorded'));
    };
    return {
      parts: { pods: manager, context, node, runtime: deps.runtime, localVolumes, claimStats, stats },
      loops: [
        ['informers', async () => void (await Promise.all(informing))],
        ['events', (s) => events.run(s)],
        ['network', (s) => network.run(s)],
        ['node', (s) => registration.run(s)],
        ['pods', (s) => manager.run(s)],
        ['plugins', (s) => plugins.run(s)],
        ['allocations', (s) => allocations.run(s, manager.adopted, () => manager.workers().map((w) => w.pod.metadata.uid))],
        ['cgroups', (s) => cgroups.node.run(s)],
        [
          'local volumes',
          async (s) => {
            await localVolumes.sweep();
            await aborted(s);
          },
        ],
        ...(staticPods === undefined ? [] : [['static pods', (s: AbortSignal) => staticPods.run(s)] as const]),
        ...guarding,
      ],
    };
  };

  return {
    parts,
    run: async (signal) => {
      const child = childSignal(signal);
      const { parts: made, loops } = await assemble(child.signal);
      resolveParts(made);
      log.info({ node: config.nodeName, instance: config.instance }, 'the kubelet runs');
      await Promise.all(loops.map(([name, run]) => supervise(name, run, { signal: child.signal, clock, log })));
      await made.context.probes.stopped();
      await made.context.status.idle();
    },
  };
}
