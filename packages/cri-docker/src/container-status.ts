import type { ContainerInfo, ContainerInspectInfo } from 'dockerode';
import type { Container, ContainerState, ContainerStatus } from '@skiff/cri';
import { parseMount, parseResources } from './host-config.ts';
import { labelNames, parseContainerMetadata, splitLabels } from './labels.ts';

/** Go's zero time, with which the engine says "never". */
const parseTimeMs = (text: string | undefined): number => (text === undefined || text.startsWith('0001-') ? 0 : Date.parse(text));

/** States of GET /containers/json. */
const listedState = (text: string): ContainerState => {
  switch (text) {
    case 'created':
      return 'created';
    case 'running':
    case 'paused':
    case 'restarting':
      return 'running';
    case 'exited':
    case 'dead':
    case 'removing':
      return 'exited';
    default:
      return 'unknown';
  }
};

/** What the engine's State says; a container whose start failed stays `created` there, with an exit code and an error. */
export function readState(state: ContainerInspectInfo['State']): {
  state: ContainerState;
  exitCode: number;
  reason: string;
  message: string;
  startedAtMs: number;
  finishedAtMs: number;
} {
  const startedAtMs = parseTimeMs(state.StartedAt);
  const finishedAtMs = parseTimeMs(state.FinishedAt);
  const error = (state as { Error?: string }).Error ?? '';
  if (state.Running) return { state: 'running', exitCode: 0, reason: '', message: '', startedAtMs, finishedAtMs: 0 };
  if (state.Status === 'created') {
    if (state.ExitCode === 0 && error === '')
      return { state: 'created', exitCode: 0, reason: '', message: '', startedAtMs: 0, finishedAtMs: 0 };
    return { state: 'exited', exitCode: 128, reason: 'StartError', message: error, startedAtMs: 0, finishedAtMs };
  }
  // The engine's OOM mark also appears when only a child was killed; the container itself may have ended well.
  const reason = state.ExitCode === 0 ? 'Completed' : state.OOMKilled ? 'OOMKilled' : 'Error';
  return { state: 'exited', exitCode: state.ExitCode, reason, message: error, startedAtMs, finishedAtMs };
}

export function describeListed(c: ContainerInfo): Container {
  return {
    id: c.Id,
    podSandboxId: c.Labels[labelNames.sandboxId] ?? '',
    metadata: parseContainerMetadata(c.Labels),
    image: c.Labels[labelNames.image] ?? c.Image,
    localImageId: c.ImageID,
    state: listedState(c.State),
    createdAtMs: c.Created * 1000,
    ...splitLabels(c.Labels),
  };
}

/** `imageId`: what the image service says for the image. */
export function describeInspected(c: ContainerInspectInfo, imageId: string): ContainerStatus {
  const state = readState(c.State);
  const createdAtMs = parseTimeMs(c.Created);
  const labels = c.Config.Labels ?? {};
  return {
    id: c.Id,
    podSandboxId: labels[labelNames.sandboxId] ?? '',
    metadata: parseContainerMetadata(labels),
    image: labels[labelNames.image] ?? c.Config.Image,
    localImageId: c.Image,
    imageId,
    createdAtMs,
    ...state,
    finishedAtMs: state.state === 'exited' && state.finishedAtMs === 0 ? createdAtMs : state.finishedAtMs,
    ...(c.State.Running && c.State.Pid > 0 ? { pid: c.State.Pid } : {}),
    ...(c.LogPath === undefined || c.LogPath === '' ? {} : { logPath: c.LogPath }),
    resources: parseResources(c.HostConfig),
    mounts: (c.HostConfig.Mounts ?? []).map(parseMount),
    stopSignal: (c.Config as { StopSignal?: string }).StopSignal ?? 'SIGTERM',
    ...splitLabels(labels),
  };
}
