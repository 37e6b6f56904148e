import { pod as pods, type Pod, type PodStatus } from '@skiff/api';
import { compareResourceVersions, type DeepReadonly, hasReason } from '@skiff/apimachinery';
import type { Client } from '@skiff/client';
import type { Clock, Logger } from '@skiff/component-base';
import { isStaticPod, type PodSnapshot, snapshotPod } from '../pod/pod-snapshot.ts';
import { renderStatusPatch, sameJson, statusDiffers } from './status-patch.ts';

interface Entry {
  /** The object whose status is written; undefined while a static pod has no mirror. */
  pod: PodSnapshot | undefined;
  /** What the API is known to have: from the informer or the last answer. */
  current: DeepReadonly<PodStatus>;
  desired: PodStatus;
  /** What was sent last and what the API made of it: the same is not sent again to the same. */
  sent: { readonly desired: PodStatus; readonly answer: DeepReadonly<PodStatus> } | undefined;
  sending: boolean;
  /** Remove the pod from the API once the status is there. */
  deleteWhenSent: boolean;
  retryMs: number;
}

export interface StatusManager {
  /** What was last decided, sent or not. */
  get(uid: string): DeepReadonly<PodStatus> | undefined;
  /** Takes over a new status; sends it without waiting, the newest only, one request a pod at a time. */
  set(pod: PodSnapshot, status: PodStatus): void;
  /** The API's side changed. */
  observe(pod: PodSnapshot): void;
  /** After the last status: deletes the pod with grace 0. */
  finish(pod: PodSnapshot): void;
  /** A static pod's status is written to its mirror. */
  setMirror(uid: string, mirror: PodSnapshot | undefined): void;
  forget(uid: string): void;
  /** Resolves when nothing is waiting to be sent. */
  idle(): Promise<void>;
}

/** The newest resourceVersion wins; answers and informer events race. */
export function createStatusManager(deps: { client: Client; clock: Clock; log: Logger; signal: AbortSignal }): StatusManager {
  const { client, clock, log, signal } = deps;
  const entries = new Map<string, Entry>();
  const running = new Set<Promise<void>>();

  const key = (pod: PodSnapshot): { namespace: string; name: string } => ({ namespace: pod.metadata.namespace, name: pod.metadata.name });

  const mirrors = new Map<string, PodSnapshot>();
  const sendOnce = async (entry: Entry): Promise<void> => {
    const { pod } = entry;
    if (pod === undefined) return;
    const { uid } = pod.metadata;
    const desired = entry.desired;
    if (needsSending(entry)) {
      const body = renderStatusPatch(uid, entry.current, desired);
      const answer = await client.patch<Pod>(pods, key(pod), { type: 'strategic', subresource: 'status', body }, { signal });
      const snapshot = snapshotPod(answer);
      if (snapshot !== undefined && entry.pod !== undefined) {
        entry.current = snapshot.status;
        entry.pod = snapshot;
        entry.sent = { desired, answer: snapshot.status };
      }
    }
    if (entry.deleteWhenSent && entry.desired === desired && entry.pod?.metadata.deletionTimestamp !== undefined) {
      await client.delete(pods, key(pod), { gracePeriodSeconds: 0, preconditions: { uid }, signal });
      entry.deleteWhenSent = false;
    }
  };
  const needsSending = (entry: Entry): boolean => {
    const { sent, desired, current } = entry;
    if (sent !== undefined && sameJson(sent.desired, desired) && sameJson(sent.answer, current)) return false;
    return statusDiffers(current, desired);
  };
  const pending = (entry: Entry): boolean =>
    entry.pod !== undefined && (needsSending(entry) || (entry.deleteWhenSent && entry.pod.metadata.deletionTimestamp !== undefined));

  const send = async (uid: string): Promise<void> => {
    for (let entry = entries.get(uid); entry !== undefined && !signal.aborted && pending(entry); entry = entries.get(uid)) {
      try {
        await sendOnce(entry);
        entry.retryMs = 100;
      } catch (error) {
        if (signal.aborted) return;
        // Gone, or another pod of that name: nobody is interested any more.
        if (hasReason(error, 'NotFound') || hasReason(error, 'Conflict')) {
          if (mirrors.delete(uid)) entry.pod = undefined;
          else entries.delete(uid);
          return;
        }
        log.warn(
          { err: error, pod: entry.pod?.metadata.name, namespace: entry.pod?.metadata.namespace },
          'the pod status could not be sent',
        );
        await clock.sleep(entry.retryMs, signal).catch(() => undefined);
        entry.retryMs = Math.min(entry.retryMs * 2, 10_000);
      }
    }
  };
  const kick = (uid: string): void => {
    const entry = entries.get(uid);
    if (signal.aborted || entry === undefined || entry.sending || !pending(entry)) return;
    entry.sending = true;
    const run = send(uid).finally(() => {
      running.delete(run);
      const now = entries.get(uid);
      if (now === undefined) return;
      now.sending = false;
      kick(uid);
    });
    running.add(run);
  };
  const entryOf = (pod: PodSnapshot, desired: PodStatus): Entry => {
    const known = entries.get(pod.metadata.uid);
    if (known !== undefined) return known;
    const target = isStaticPod(pod) ? mirrors.get(pod.metadata.uid) : pod;
    const made: Entry = {
      pod: target,
      current: target?.status ?? {},
      desired,
      sent: undefined,
      sending: false,
      deleteWhenSent: false,
      retryMs: 100,
    };
    entries.set(pod.metadata.uid, made);
    return made;
  };

  return {
    get: (uid) => entries.get(uid)?.desired,
    set: (pod, status) => {
      const entry = entryOf(pod, status);
      entry.desired = status;
      kick(pod.metadata.uid);
    },
    observe: (pod) => {
      const entry = entries.get(pod.metadata.uid);
      if (entry === undefined) return;
      // Answers to writes often come before the watch's event of them.
      if (compareResourceVersions(pod.metadata.resourceVersion ?? '', entry.pod?.metadata.resourceVersion ?? '') < 0) return;
      entry.pod = pod;
      entry.current = pod.status;
      kick(pod.metadata.uid);
    },
    finish: (pod) => {
      const entry = entryOf(pod, pod.status as PodStatus);
      entry.deleteWhenSent = true;
      kick(pod.metadata.uid);
    },
    setMirror: (uid, mirror) => {
      const entry = entries.get(uid);
      if (mirror === undefined) mirrors.delete(uid);
      else mirrors.set(uid, mirror);
      if (entry === undefined) return;
      const known = entry.pod;
      const stale =
        mirror !== undefined &&
        known?.metadata.uid === mirror.metadata.uid &&
        compareResourceVersions(mirror.metadata.resourceVersion ?? '', known.metadata.resourceVersion ?? '') < 0;
      if (stale) return;
      entry.pod = mirror;
      entry.current = mirror?.status ?? {};
      kick(uid);
    },
    forget: (uid) => void entries.delete(uid),
    idle: async () => {
      while (running.size > 0) await Promise.all(running);
    },
  };
}
