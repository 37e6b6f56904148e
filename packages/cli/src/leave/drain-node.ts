import { type ApiAccess, type ApiAnswer, apiRequest, messageOf, persistentRequest } from '../cluster/api-request.ts';
import { UserError } from '../user-error.ts';
import { type DrainedPod, nameOf, planDrain } from './plan-drain.ts';

const pollMs = 250;
/** A refused eviction is tried again after this long, as kubectl does. */
const retryMs = 2_000;
/** For one of many calls: servers that take connections and say nothing must not use up the time several times over. */
const answerMs = 5_000;

interface DrainOrder {
  readonly nodeName: string;
  /** Without its kubelet pods are not stopped, only forgotten. */
  readonly isRunning: boolean;
  readonly timeoutMs: number;
  /** Pods that nothing makes anew may go, and what is left at the end is not waited for. */
  readonly force: boolean;
}

type Call = typeof apiRequest;

/** Nothing has begun yet: whoever waits for it learns that nobody answers. */
const beginMs = 30_000;
/** With `force` he goes anyhow. */
const forcedBeginMs = 10_000;

/** Calls that are made again while nobody answers or the servers have trouble, within one time for all of them. */
export function callForAWhile(o: Pick<DrainOrder, 'timeoutMs' | 'force'>, call: Call = apiRequest): Call {
  const endMs = performance.now() + Math.min(o.timeoutMs, o.force ? forcedBeginMs : beginMs);
  return (access, request) => persistentRequest(access, request, { withinMs: endMs - performance.now(), request: call });
}

function expectSuccess(answer: ApiAnswer, what: string): ApiAnswer {
  if (answer.code >= 300) throw new UserError(`${what}: ${messageOf(answer)}`, 'refused');
  return answer;
}

/** No new pods come to the node; an administrator's `kubectl uncordon` undoes it. Resolves with whether the cluster has the node. */
export async function cordon(access: ApiAccess, nodeName: string, call: Call = apiRequest): Promise<boolean> {
  const path = `/api/v1/nodes/${nodeName}`;
  for (let tries = 0; ; tries++) {
    const found = await call(access, { path });
    if (found.code === 404) return false;
    expectSuccess(found, 'The node can’t be read');
    const node = JSON.parse(found.body) as { spec?: { unschedulable?: boolean } };
    if (node.spec?.unschedulable === true) return true;
    const answer = await call(access, { method: 'PUT', path, body: { ...node, spec: { ...node.spec, unschedulable: true } } });
    // The kubelet and controllers write the Node as well.
    if (answer.code === 409 && tries < 10) continue;
    expectSuccess(answer, 'The node can’t be cordoned');
    return true;
  }
}

/** Of the servers, and over in a while; anything else is what they mean. */
const isTrouble = (answer: ApiAnswer): boolean => answer.code === 429 || answer.code >= 500;

/** Throws UserError when that is refused, any other error when asking again may help. */
async function listPods(access: ApiAccess, nodeName: string, call: Call): Promise<readonly DrainedPod[]> {
  const selector = encodeURIComponent(`spec.nodeName=${nodeName}`);
  const answer = await call(access, { path: `/api/v1/pods?fieldSelector=${selector}`, timeoutMs: answerMs });
  if (isTrouble(answer)) throw new Error(messageOf(answer));
  expectSuccess(answer, 'Its pods can’t be listed');
  return (JSON.parse(answer.body) as { items?: DrainedPod[] }).items ?? [];
}

/** undefined when the pod goes; else why it doesn't yet. */
async function evict(access: ApiAccess, pod: DrainedPod, call: Call): Promise<string | undefined> {
  const { namespace, name, uid } = pod.metadata;
  const answer = await call(access, {
    method: 'POST',
    path: `/api/v1/namespaces/${namespace}/pods/${name}/eviction`,
    body: { apiVersion: 'policy/v1', kind: 'Eviction', metadata: { name, namespace }, deleteOptions: { preconditions: { uid } } },
    timeoutMs: answerMs,
  });
  // Gone, or replaced by one of the same name elsewhere.
  if (answer.code < 300 || answer.code === 404 || answer.code === 409) return undefined;
  if (isTrouble(answer)) return messageOf(answer);
  throw new UserError(`Pod ${nameOf(pod)} can't be evicted: ${messageOf(answer)}`, 'refused');
}

/**
 * Cordons the node and evicts its pods, honouring PodDisruptionBudgets; resolves when they are gone, with how many there were, or
 * undefined when the cluster has no such node any more. Throws UserError when that does not happen in time.
 */
export async function drainNode(
  access: ApiAccess,
  o: DrainOrder,
  note: (text: string) => void,
  call: Call = apiRequest,
): Promise<number | undefined> {
  const deadline = Date.now() + o.timeoutMs;
  const begin = callForAWhile(o, call);
  if (!(await cordon(access, o.nodeName, begin))) return undefined;
  const first = planDrain(await listPods(access, o.nodeName, begin));
  if (first.evict.length > 0 && !o.isRunning) {
    if (o.force) return first.evict.length;
    throw new UserError(
      'The node is not running here, so its pods can’t end properly. Start it first (skiff join), or leave with --force.',
      'conflict',
    );
  }
  if (first.unmanaged.length > 0 && !o.force) {
    throw new UserError(
      `Nothing would make these pods anew elsewhere; --force gives them up: ${first.unmanaged.map(nameOf).join(', ')}\nThe node is cordoned; to keep it: kubectl uncordon ${o.nodeName}`,
      'conflict',
    );
  }
  const gone = new Set<string>();
  const triedAtMs = new Map<string, number>();
  const refusals = new Map<string, string>();
  // Servers that are silent for a moment don't end what has begun: it is done again, until the time is over.
  const lookAgain = async (before: readonly DrainedPod[]): Promise<readonly DrainedPod[]> => {
    try {
      return planDrain(await listPods(access, o.nodeName, call)).evict;
    } catch (error) {
      if (error instanceof UserError || (Date.now() > deadline && !o.force)) throw error;
      return before;
    }
  };
  for (let left = first.evict; left.length > 0; left = await lookAgain(left)) {
    for (const pod of left) {
      if (Date.now() > deadline) break;
      const { uid } = pod.metadata;
      if (gone.has(uid) || Date.now() - (triedAtMs.get(uid) ?? 0) < retryMs) continue;
      triedAtMs.set(uid, Date.now());
      try {
        const refused = await evict(access, pod, call);
        if (refused === undefined) gone.add(uid);
        else refusals.set(uid, refused);
      } catch (error) {
        if (error instanceof UserError) throw error;
        refusals.set(uid, error instanceof Error ? error.message : String(error));
        // Who is silent for one pod is so for the others.
        break;
      }
    }
    note(`${left.length} to go`);
    if (Date.now() > deadline) {
      if (o.force) return first.evict.length;
      const why = left.map(
        (pod) => `  ${nameOf(pod)}: ${gone.has(pod.metadata.uid) ? 'is still stopping' : (refusals.get(pod.metadata.uid) ?? '')}`,
      );
      throw new UserError(
        `These pods are still on the node after ${o.timeoutMs / 1000} s:\n${why.join('\n')}\nThe node is cordoned. Try again, give them up with --force, or keep the node: kubectl uncordon ${o.nodeName}`,
        'conflict',
      );
    }
    await new Promise((r) => setTimeout(r, pollMs));
  }
  return first.evict.length;
}
