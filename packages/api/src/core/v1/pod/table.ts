import type { DeepReadonly } from '@skiff/apimachinery';
import type { ContainerStatus, Pod, PodStatus } from '../../../generated/types/core-v1.ts';
import { age, defineTable, isDeleting, nameColumn, nameOf, orNone, since, wide } from '../../../table.ts';

type Status = DeepReadonly<ContainerStatus>;

/** Counts up over containers: how often they were restarted, and when the last one was. */
class Restarts {
  count = 0;
  last = '';
  add(status: Status): void {
    this.count += status.restartCount ?? 0;
    const finished = status.lastState?.terminated?.finishedAt ?? '';
    if (finished > this.last) this.last = finished;
  }
  format(nowMs: number): string {
    return this.count !== 0 && this.last !== '' ? `${this.count} (${since(this.last, nowMs)} ago)` : String(this.count);
  }
}

interface Summary {
  readonly word: string;
  readonly ready: number;
  readonly restarts: Restarts;
}

const conditionIsTrue = (status: DeepReadonly<PodStatus>, type: string): boolean =>
  (status.conditions ?? []).find((c) => c.type === type)?.status === 'True';

function terminationWord(terminated: NonNullable<NonNullable<Status['state']>['terminated']>): string {
  if (terminated.reason) return terminated.reason;
  return terminated.signal ? `Signal:${terminated.signal}` : `ExitCode:${terminated.exitCode}`;
}

interface InitSummary {
  /** Why the Pod is not initialised yet; undefined when no init container holds it up. */
  readonly word: string | undefined;
  readonly ready: number;
  readonly restarts: Restarts;
  readonly sidecarRestarts: Restarts;
}

function summarizeInit(pod: DeepReadonly<Pod>): InitSummary {
  const sidecars = new Set((pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').map((c) => c.name));
  const restarts = new Restarts();
  const sidecarRestarts = new Restarts();
  let ready = 0;
  for (const [i, status] of (pod.status?.initContainerStatuses ?? []).entries()) {
    restarts.add(status);
    const isSidecar = sidecars.has(status.name);
    if (isSidecar) sidecarRestarts.add(status);
    const { terminated, waiting } = status.state ?? {};
    if (terminated?.exitCode === 0) continue;
    if (isSidecar && status.started) {
      if (status.ready) ready++;
      continue;
    }
    const waits = waiting?.reason && waiting.reason !== 'PodInitializing' ? waiting.reason : undefined;
    const progress = `${i}/${(pod.spec?.initContainers ?? []).length}`;
    const word = terminated ? terminationWord(terminated) : (waits ?? progress);
    return { word: `Init:${word}`, ready, restarts, sidecarRestarts };
  }
  return { word: undefined, ready, restarts, sidecarRestarts };
}

/** From the last container to the first: the first one that is not fine gives the word. */
function summarizeContainers(pod: DeepReadonly<Pod>, phaseWord: string, init: InitSummary): Summary {
  const restarts = init.sidecarRestarts;
  let { ready } = init;
  let word = phaseWord;
  let errorWord = '';
  let running = false;
  for (const status of (pod.status?.containerStatuses ?? []).toReversed()) {
    restarts.add(status);
    const { waiting, terminated, running: isRunning } = status.state ?? {};
    if (waiting?.reason) word = waiting.reason;
    else if (terminated) {
      word = terminationWord(terminated);
      if (terminated.exitCode !== 0) errorWord = word;
    } else if (status.ready && isRunning) {
      running = true;
      ready++;
    }
  }
  if (word === 'Completed') {
    if (running && conditionIsTrue(pod.status ?? {}, 'Ready')) word = 'Running';
    else if (errorWord !== '') word = errorWord;
    else if (running) word = 'NotReady';
  }
  return { word, ready, restarts };
}

function summarize(pod: DeepReadonly<Pod>): Summary {
  const status = pod.status ?? {};
  const phase = status.phase ?? '';
  const gated = (status.conditions ?? []).some((c) => c.type === 'PodScheduled' && c.reason === 'SchedulingGated');
  const phaseWord = gated ? 'SchedulingGated' : status.reason || phase;
  const init = summarizeInit(pod);
  const initialized = init.word === undefined || conditionIsTrue(status, 'Initialized');
  const summary = initialized
    ? summarizeContainers(pod, init.word ?? phaseWord, init)
    : { word: init.word ?? phaseWord, ready: init.ready, restarts: init.restarts };
  if (!isDeleting(pod)) return summary;
  if (status.reason === 'NodeLost') return { ...summary, word: 'Unknown' };
  return phase === 'Succeeded' || phase === 'Failed' ? summary : { ...summary, word: 'Terminating' };
}

function readinessGates(pod: DeepReadonly<Pod>): string {
  const gates = pod.spec?.readinessGates ?? [];
  if (gates.length === 0) return '<none>';
  const open = gates.filter((g) => conditionIsTrue(pod.status ?? {}, g.conditionType)).length;
  return `${open}/${gates.length}`;
}

export const podTable = defineTable<Pod>(
  [nameColumn, 'Ready', 'Status', 'Restarts', 'Age', wide('IP'), wide('Node'), wide('Nominated Node'), wide('Readiness Gates')],
  (pod, nowMs) => {
    const sidecars = (pod.spec?.initContainers ?? []).filter((c) => c.restartPolicy === 'Always').length;
    const containers = (pod.spec?.containers ?? []).length + sidecars;
    const { word, ready, restarts } = summarize(pod);
    return [
      nameOf(pod),
      `${ready}/${containers}`,
      word,
      restarts.format(nowMs),
      age(pod, nowMs),
      orNone(pod.status?.podIPs?.[0]?.ip),
      orNone(pod.spec?.nodeName),
      orNone(pod.status?.nominatedNodeName),
      readinessGates(pod),
    ];
  },
);
