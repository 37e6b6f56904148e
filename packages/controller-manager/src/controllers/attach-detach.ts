import {
  csiDriver as drivers,
  node as nodes,
  persistentVolume as volumes,
  persistentVolumeClaim as claims,
  pod as pods,
  volumeAttachment as attachments,
  type Node,
  type Pod,
} from '@skiff/api';
import { hasReason, type DeepReadonly } from '@skiff/apimachinery';
import { defineController, mapped, primary, type ControllerContext, type ReconcileContext, type SourceContext } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { isTerminal } from '../pods/pod-state.ts';
import {
  isControlled,
  isExclusive,
  mayDetach,
  uniqueVolumeName,
  volumeInUse,
  wantedVolumes,
  type AttachmentView,
  type WantedVolume,
} from '../volumes/attachments.ts';
import type { ClaimView, VolumeView } from '../volumes/claim-facts.ts';
import { createPendingAttachments, type PendingAttachments } from '../volumes/pending-attachments.ts';
import { claimNames } from './pvc-protection.ts';

const nodeIndex = 'nodeName';
/** When a node asks again for a volume that another is just getting. */
const pendingRetryMs = 1_000;
/** After which an attacher that says nothing is told of. */
const attachTimeoutMs = 120_000;
const claimIndex = 'persistentVolumeClaim';
const claimKeysOf = (pod: DeepReadonly<Pod>): readonly string[] =>
  claimNames(pod).map((name) => `${pod.metadata?.namespace ?? ''}/${name}`);

/** Nodes with pods that use a claim. */
const nodesOfClaim = ({ informers }: Pick<SourceContext, 'informers'>, key: string): readonly string[] =>
  informers
    .informer(pods)
    .byIndex(claimIndex, key)
    .flatMap((p) => (p.spec?.nodeName ? [p.spec.nodeName] : []));

/** Who waits for a volume on other nodes is woken when one lets it go. */
const nodesOfAttachment = (context: SourceContext, attachment: AttachmentView): readonly string[] => {
  const name = attachment.spec?.source.persistentVolumeName;
  const ref = name === undefined ? undefined : context.informers.informer(volumes).get({ name })?.spec?.claimRef;
  const waiting = ref === undefined ? [] : nodesOfClaim(context, `${ref.namespace ?? ''}/${ref.name ?? ''}`);
  return [...new Set([attachment.spec?.nodeName ?? '', ...waiting])].filter((n) => n !== '');
};

class AttachDetach {
  readonly #context: ControllerContext;
  /** Since when no pod of the node needs an attachment; monotonic milliseconds. */
  readonly #unwantedSinceMs = new Map<string, number>();
  readonly #told = new Map<string, string>();
  readonly #pending: PendingAttachments;

  constructor(context: ControllerContext, pending: PendingAttachments) {
    this.#context = context;
    this.#pending = pending;
  }

  async reconcile(node: string, run: ReconcileContext): Promise<undefined | { requeueAfterMs: number }> {
    const { informers } = this.#context;
    const own = informers
      .informer(attachments)
      .byIndex(nodeIndex, node)
      .filter((a) => isControlled(a));
    const here = informers
      .informer(pods)
      .byIndex(nodeIndex, node)
      .filter((p) => !isTerminal(p));
    const wanted = wantedVolumes(node, here, {
      claimsOf: (pod) => this.#claimsOf(pod),
      volume: (name) => informers.informer(volumes).get({ name }),
      driver: (name) => informers.informer(drivers).get({ name }),
    });
    if (own.length === 0 && wanted.size === 0) return undefined;
    const retries: number[] = [];
    for (const attachment of own) {
      const name = attachment.metadata?.name ?? '';
      this.#pending.seen(attachment.spec?.source.persistentVolumeName ?? '', name);
      const want = wanted.get(name);
      if (want !== undefined) retries.push(...this.#tell(attachment, want));
      else if (attachment.metadata?.deletionTimestamp === undefined) retries.push(...(await this.#detach(node, attachment, run)));
    }
    for (const want of wanted.values()) {
      if (own.some((a) => a.metadata?.name === want.attachment)) continue;
      retries.push(...(await this.#attach(node, want, run)));
    }
    await this.#tellNode(node, own, run);
    return retries.length === 0 ? undefined : { requeueAfterMs: Math.min(...retries) };
  }

  #claimsOf(pod: DeepReadonly<Pod>): readonly ClaimView[] {
    const informer = this.#context.informers.informer(claims);
    const namespace = pod.metadata?.namespace ?? '';
    return claimNames(pod).flatMap((name) => {
      const claim = informer.get({ namespace, name });
      return claim === undefined ? [] : [claim];
    });
  }

  /** Returns when to look again. */
  async #attach(node: string, want: WantedVolume, run: ReconcileContext): Promise<readonly number[]> {
    const { informers, events } = this.#context;
    const name = want.volume.metadata?.name ?? '';
    const csi = want.volume.spec?.csi;
    if (csi === undefined || want.volume.metadata?.deletionTimestamp !== undefined) return [];
    this.#unwantedSinceMs.delete(want.attachment);
    if (isExclusive(want.volume)) {
      const attachedTo = (): string | undefined =>
        informers
          .informer(attachments)
          .list()
          .find((a) => a.spec?.source.persistentVolumeName === name && a.spec.nodeName !== node)?.spec?.nodeName;
      const other = await this.#pending.reserve(name, { node, attachment: want.attachment, attachedTo });
      if (other !== undefined) {
        for (const pod of want.pods) events.event(pod, 'Warning', 'FailedAttachVolume', this.#multiAttachText(want.volume, pod, other));
        // Who is shown to have it wakes this node when it lets go; of who was about to get it nothing may be heard.
        return attachedTo() === undefined ? [pendingRetryMs] : [];
      }
    }
    const body = {
      metadata: { name: want.attachment },
      spec: { attacher: csi.driver, nodeName: node, source: { persistentVolumeName: name } },
    };
    try {
      await run.client.create(attachments, body, { signal: run.signal });
    } catch (error) {
      if (hasReason(error, 'AlreadyExists')) return [];
      const why = error instanceof Error ? error.message : String(error);
      for (const pod of want.pods)
        events.event(pod, 'Warning', 'FailedAttachVolume', `AttachVolume.Attach failed for volume "${name}" : ${why}`);
      throw error;
    } finally {
      this.#pending.asked(name, want.attachment);
    }
    return [];
  }

  #multiAttachText(volume: VolumeView, pod: DeepReadonly<Pod>, otherNode: string): string {
    const ref = volume.spec?.claimRef;
    const users = this.#context.informers
      .informer(pods)
      .byIndex(claimIndex, `${ref?.namespace ?? ''}/${ref?.name ?? ''}`)
      .filter((p) => p.spec?.nodeName === otherNode && p.metadata?.namespace === pod.metadata?.namespace)
      .map((p) => p.metadata?.name ?? '');
    const start = `Multi-Attach error for volume "${volume.metadata?.name ?? ''}" Volume is already`;
    return users.length === 0
      ? `${start} exclusively attached to one node and can't be attached to another`
      : `${start} used by pod(s) ${users.sort().join(', ')}`;
  }

  /** Returns when to look again. */
  async #detach(node: string, attachment: AttachmentView, run: ReconcileContext): Promise<readonly number[]> {
    const { informers, clock, log } = this.#context;
    const name = attachment.metadata?.name ?? '';
    const sinceMs = this.#unwantedSinceMs.get(name) ?? clock.monotonicMs();
    this.#unwantedSinceMs.set(name, sinceMs);
    const where = informers.informer(nodes).get({ name: node });
    const verdict = mayDetach(where, volumeInUse(where, attachment), clock.monotonicMs() - sinceMs);
    if (!verdict.detach) return [verdict.retryMs];
    try {
      await run.client.delete(attachments, { name }, { preconditions: { uid: attachment.metadata?.uid ?? '' }, signal: run.signal });
      log.info({ node, volume: attachment.spec?.source.persistentVolumeName }, 'a volume is detached');
    } catch (error) {
      if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
    }
    this.#unwantedSinceMs.delete(name);
    this.#told.delete(name);
    return [];
  }

  /** How attaching went, once for each answer and for each two minutes without one. Returns when to look again. */
  #tell(attachment: AttachmentView, want: WantedVolume): readonly number[] {
    const { events, clock } = this.#context;
    const name = attachment.metadata?.name ?? '';
    const volume = want.volume.metadata?.name ?? '';
    const error = attachment.status?.attachError;
    const isAttached = attachment.status?.attached === true;
    this.#unwantedSinceMs.delete(name);
    const waitedMs = Math.max(0, clock.now() - Date.parse(attachment.metadata?.creationTimestamp ?? ''));
    const waits = isAttached || error !== undefined ? 0 : Math.floor(waitedMs / attachTimeoutMs);
    const again = isAttached || error !== undefined ? [] : [(waits + 1) * attachTimeoutMs - waitedMs];
    const state = isAttached ? 'attached' : error === undefined ? `waits ${waits}` : `${error.time ?? ''} ${error.message ?? ''}`;
    if (state === 'waits 0' || this.#told.get(name) === state) return again;
    this.#told.set(name, state);
    const { driver = '', volumeHandle = '' } = want.volume.spec?.csi ?? {};
    const why = error?.message ?? `timed out waiting for external-attacher of ${driver} CSI driver to attach volume ${volumeHandle}`;
    for (const pod of want.pods) {
      if (isAttached) events.event(pod, 'Normal', 'SuccessfulAttachVolume', `AttachVolume.Attach succeeded for volume "${volume}" `);
      else events.event(pod, 'Warning', 'FailedAttachVolume', `AttachVolume.Attach failed for volume "${volume}" : ${why}`);
    }
    return again;
  }

  /** `node.status.volumesAttached`. */
  async #tellNode(name: string, own: readonly AttachmentView[], run: ReconcileContext): Promise<void> {
    const { informers } = this.#context;
    const node: DeepReadonly<Node> | undefined = informers.informer(nodes).get({ name });
    if (node === undefined) return;
    const attached = own.flatMap((a) => {
      const volume = informers.informer(volumes).get({ name: a.spec?.source.persistentVolumeName ?? '' });
      return a.status?.attached === true && volume !== undefined ? [{ name: uniqueVolumeName(volume), devicePath: '' }] : [];
    });
    attached.sort((a, b) => a.name.localeCompare(b.name));
    if (JSON.stringify(attached) === JSON.stringify(node.status?.volumesAttached ?? [])) return;
    const body = { status: { volumesAttached: attached.length === 0 ? null : attached } };
    await run.client.patch(nodes, { name }, { type: 'merge', subresource: 'status', body }, { signal: run.signal });
  }
}

/** Attaches volumes of CSI drivers to the nodes whose pods need them, by VolumeAttachments that the drivers' attachers carry out. */
export const attachDetachController: ControllerDescriptor = {
  name: 'persistentvolume-attach-detach-controller',
  eventComponent: 'attachdetach-controller',
  define: () =>
    defineController({
      name: 'persistentvolume-attach-detach-controller',
      concurrency: 4,
      sources: [
        primary(nodes, {
          changed: (a, b) =>
            JSON.stringify([a.status?.volumesInUse, a.status?.volumesAttached, a.spec?.taints]) !==
            JSON.stringify([b.status?.volumesInUse, b.status?.volumesAttached, b.spec?.taints]),
        }),
        mapped(pods, (pod) => (pod.spec?.nodeName && claimNames(pod).length > 0 ? [pod.spec.nodeName] : []), {
          changed: (a, b) => a.spec?.nodeName !== b.spec?.nodeName || isTerminal(a) !== isTerminal(b),
        }),
        // One that is described late, or in other words than before, may need no attaching.
        mapped(
          drivers,
          (driver, { informers }) =>
            informers
              .informer(attachments)
              .list()
              .flatMap((a) => (a.spec?.attacher === driver.metadata?.name && a.spec?.nodeName !== undefined ? [a.spec.nodeName] : [])),
          { changed: (a, b) => a.spec?.attachRequired !== b.spec?.attachRequired },
        ),
        mapped(attachments, (attachment, context) => nodesOfAttachment(context, attachment)),
        mapped(claims, (claim, context) => nodesOfClaim(context, `${claim.metadata?.namespace ?? ''}/${claim.metadata?.name ?? ''}`), {
          changed: (a, b) => a.status?.phase !== b.status?.phase || a.spec?.volumeName !== b.spec?.volumeName,
        }),
      ],
      create: (context) => {
        const { informers } = context;
        informers.informer(volumes);
        informers.informer(drivers);
        informers.informer(nodes);
        informers.informer(claims);
        const podInformer = informers.informer(pods);
        podInformer.addIndex(nodeIndex, (p) => (p.spec?.nodeName ? [p.spec.nodeName] : []));
        podInformer.addIndex(claimIndex, claimKeysOf);
        informers.informer(attachments).addIndex(nodeIndex, (a) => (a.spec?.nodeName === undefined ? [] : [a.spec.nodeName]));
        const live = async (name: string): Promise<boolean> => {
          try {
            await context.client.get(attachments, { name });
            return true;
          } catch (error) {
            if (hasReason(error, 'NotFound')) return false;
            throw error;
          }
        };
        const control = new AttachDetach(context, createPendingAttachments(live));
        return async (key, run) => await control.reconcile(key.name, run);
      },
    }),
};
