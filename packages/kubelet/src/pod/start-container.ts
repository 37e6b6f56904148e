import { chmod, mkdir, writeFile } from 'node:fs/promises';
import path from 'node:path';
import type { PodStatus } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { type ContainerConfig, type Image, isRuntimeError } from '@skiff/cri';
import { newestContainer, type ObservedPod } from '../actions/observed-pod.ts';
import { computeContainerResources } from '../cgroups/resources.ts';
import { renderContainerAnnotations, renderContainerLabels } from '../container/labels.ts';
import { makeDevices, makeMounts } from '../container/container-mounts.ts';
import { runLifecycleHook } from '../container/lifecycle-hooks.ts';
import { computeSecurityContext } from '../container/security-context.ts';
import { makeEnvironment } from '../env/environment.ts';
import { expandVariables } from '../env/expand.ts';
import { renderServiceEnv } from '../env/service-env.ts';
import { readFileInside } from '../host/safe-tree.ts';
import { podPaths } from '../volumes/pod-paths.ts';
import type { MountedVolume } from '../volumes/volume-plugin.ts';
import type { PodContext } from './pod-context.ts';
import { type ContainerSpec, ephemeralContainersOf, findContainer, isStaticPod, type PodSnapshot } from './pod-snapshot.ts';

/** Of a file that a fileKeyRef names (KEP-3721). */
const maxEnvFileBytes = 64 * 1024;

/** Why a container could not be started; becomes its waiting state. */
export class StartFailure extends Error {
  readonly reason: string;
  /** When another try makes sense, milliseconds since the epoch; absent: after the usual delay. */
  readonly retryAtMs: number | undefined;
  constructor(reason: string, message: string, o: { cause?: unknown; retryAtMs?: number } = {}) {
    super(message, o.cause === undefined ? undefined : { cause: o.cause });
    this.reason = reason;
    this.retryAtMs = o.retryAtMs;
  }
}

export interface PreparedPod {
  readonly observed: ObservedPod;
  readonly ips: readonly string[];
  readonly volumes: Promise<ReadonlyMap<string, MountedVolume>>;
  readonly sandboxCreated: Promise<string>;
  readonly sandboxReady: Promise<unknown>;
  /** Files that the kubelet keeps for the pod: container path → path on the node. */
  managedFiles(): Promise<ReadonlyMap<string, string>>;
}

const message = (error: unknown): string => (error instanceof Error ? error.message : String(error));

async function makeTerminationLog(file: string, context: PodContext): Promise<void> {
  const local = context.hostMount.local(file);
  await mkdir(path.dirname(local), { recursive: true });
  await writeFile(local, '');
  // Any user of the container may write its last words.
  await chmod(local, 0o666);
}

export function nextAttempt(c: ContainerSpec, status: DeepReadonly<PodStatus>, observed: ObservedPod): number {
  const newest = newestContainer(observed, c.name);
  const told = [...(status.containerStatuses ?? []), ...(status.initContainerStatuses ?? [])].find((s) => s.name === c.name);
  // What was removed from the engine is still known.
  const ranBefore =
    told !== undefined && (told.containerID !== undefined || told.restartCount > 0 || told.lastState?.terminated !== undefined);
  const toldNext = ranBefore ? told.restartCount + 1 : 0;
  return Math.max(newest === undefined ? 0 : newest.metadata.attempt + 1, toldNext);
}

async function renderConfig(
  pod: PodSnapshot,
  c: ContainerSpec,
  o: { image: Image; attempt: number; prepared: PreparedPod; context: PodContext; signal: AbortSignal },
): Promise<ContainerConfig> {
  const { context, prepared } = o;
  const paths = podPaths(context.rootDirectory, pod.metadata.uid);
  const addresses = { podIPs: prepared.ips, hostIPs: context.node.addresses };
  const services = await context.services(o.signal, !isStaticPod(pod));
  const volumes = await prepared.volumes;
  const [env, files] = await Promise.all([
    makeEnvironment({
      pod,
      container: c,
      addresses,
      allocatable: context.node.allocatable(),
      serviceEnv: renderServiceEnv(services, pod.metadata.namespace, pod.spec.enableServiceLinks !== false),
      objects: context.objects.of(pod.metadata.uid),
      readVolumeFile: async (name, file) => {
        const volume = volumes.get(name);
        if (volume === undefined) throw new Error(`cannot find the volume "${name}" referenced by FileKeyRef`);
        return await readFileInside(context.hostMount.local(volume.path), file, maxEnvFileBytes);
      },
    }),
    prepared.managedFiles(),
  ]);
  const grants = await context.devices.prepare(pod, c);
  const cdiDevices = [...new Set(grants.flatMap((g) => g.cdiDevices.map((d) => d.name)))];
  const terminationLog = paths.terminationLog(c.name, o.attempt);
  await makeTerminationLog(terminationLog, context);
  const managed = new Map([...files, [c.terminationMessagePath ?? '/dev/termination-log', terminationLog]]);
  const expand = (text: string): string => expandVariables(text, (name) => env.get(name));
  const target = ephemeralContainersOf(pod).find((e) => e.name === c.name)?.targetContainerName;
  const targetId = target === undefined || target === '' ? undefined : newestContainer(prepared.observed, target)?.id;
  if (target !== undefined && target !== '' && targetId === undefined) throw new Error(`unable to find target container ${target}`);
  return {
    metadata: { name: c.name, attempt: o.attempt },
    image: c.image ?? '',
    // What is named by its digest may be there under a mirror's name alone.
    ...(c.image?.includes('@') === true ? { imageId: o.image.id } : {}),
    command: (c.command ?? []).map(expand),
    args: (c.args ?? []).map(expand),
    ...(c.workingDir === undefined ? {} : { workingDir: c.workingDir }),
    envs: [...new Map([...grants.flatMap((g) => Object.entries(g.envs)), ...env])].map(([name, value]) => ({ name, value })),
    mounts: [
      ...(await makeMounts({
        container: c,
        volumes,
        env,
        paths,
        hostMount: context.hostMount,
        recursiveReadOnlySupported: context.node.recursiveReadOnlyMounts,
        managed,
      })),
      ...grants.flatMap((g) => g.mounts.map((m) => ({ ...m, propagation: 'private' as const }))),
    ],
    devices: [...makeDevices(c, volumes), ...grants.flatMap((g) => g.devices)],
    ...(cdiDevices.length === 0 ? {} : { cdiDevices }),
    labels: { ...pod.metadata.labels, ...renderContainerLabels(pod, c) },
    annotations: {
      ...Object.fromEntries(grants.flatMap((g) => Object.entries(g.annotations))),
      ...renderContainerAnnotations(pod, c, { restartCount: o.attempt, terminationMessageFile: terminationLog }),
    },
    stdin: c.stdin ?? false,
    stdinOnce: c.stdinOnce ?? false,
    tty: c.tty ?? false,
    resources: computeContainerResources(pod, c, context.node),
    securityContext: computeSecurityContext(pod, c, {
      ...context.security,
      image: o.image,
      ...(targetId === undefined ? {} : { targetContainerId: targetId }),
    }),
  };
}

/** In metrics. */
function typeOf(pod: PodSnapshot, c: ContainerSpec): string {
  const type = findContainer(pod, c.name)?.type;
  return type === 'init' ? 'init_container' : type === 'ephemeral' ? 'ephemeral_container' : 'container';
}

/** First half: everything up to the created container, which may happen while the sandbox is still starting. Throws StartFailure. */
export async function prepareContainer(
  pod: PodSnapshot,
  c: ContainerSpec,
  prepared: PreparedPod,
  o: { context: PodContext; signal: AbortSignal },
): Promise<string> {
  const { context, signal } = o;
  const say = (type: 'Normal' | 'Warning', reason: string, text: string): void => context.event(pod, type, reason, text, c.name);
  const fail = (reason: string, error: unknown): StartFailure => {
    context.metrics.containerStartFailed(typeOf(pod, c), reason);
    say('Warning', 'Failed', `Error: ${message(error)}`);
    return new StartFailure(reason, message(error), { cause: error });
  };
  const image = await context.images.ensure({
    podUid: pod.metadata.uid,
    image: c.image ?? '',
    policy: c.imagePullPolicy ?? 'IfNotPresent',
    credentials: context.pullCredentials(pod),
    event: say,
    signal,
  });
  if (!image.ok) {
    say('Warning', 'Failed', `Error: ${image.reason}`);
    throw new StartFailure(image.reason, image.message, image.retryAtMs === undefined ? {} : { retryAtMs: image.retryAtMs });
  }
  const attempt = nextAttempt(c, context.status.get(pod.metadata.uid) ?? pod.status, prepared.observed);
  // Volumes that are not there are told of on their own, and no container is to blame.
  await prepared.volumes;
  let config: ContainerConfig;
  try {
    config = await renderConfig(pod, c, { image: image.image, attempt, prepared, context, signal });
  } catch (error) {
    signal.throwIfAborted();
    throw fail('CreateContainerConfigError', error);
  }
  const sandboxId = await prepared.sandboxCreated;
  signal.throwIfAborted();
  try {
    const id = await context.runtime.createContainer(sandboxId, config);
    say('Normal', 'Created', 'Container created');
    return id;
  } catch (error) {
    if (isRuntimeError(error, 'not-found')) await prepared.sandboxReady;
    throw fail('CreateContainerError', error);
  }
}

/** Second half: the process and its postStart hook. Throws StartFailure. */
export async function startContainer(
  pod: PodSnapshot,
  c: ContainerSpec,
  id: string,
  o: { podIP: string; context: PodContext; signal: AbortSignal; kill: () => Promise<void> },
): Promise<void> {
  const { context, signal } = o;
  const say = (type: 'Normal' | 'Warning', reason: string, text: string): void => context.event(pod, type, reason, text, c.name);
  try {
    await context.runtime.startContainer(id);
  } catch (error) {
    say('Warning', 'Failed', `Error: ${message(error)}`);
    context.metrics.containerStartFailed(typeOf(pod, c), 'RunContainerError');
    throw new StartFailure('RunContainerError', message(error), { cause: error });
  }
  say('Normal', 'Started', 'Container started');
  context.metrics.containerStarted(typeOf(pod, c));
  const hook = c.lifecycle?.postStart;
  if (hook === undefined) return;
  try {
    await runLifecycleHook(
      hook,
      { container: c, containerId: id, podIP: o.podIP },
      { runtime: context.runtime, clock: context.clock, signal },
    );
  } catch (error) {
    signal.throwIfAborted();
    context.log.warn({ err: error, pod: pod.metadata.name, container: c.name }, 'the postStart hook failed');
    // The event leaves out what the handler said: it may be secret.
    say('Warning', 'FailedPostStartHook', 'PostStartHook failed');
    await o.kill();
    throw new StartFailure('PostStartHookError', message(error), { cause: error });
  }
}
