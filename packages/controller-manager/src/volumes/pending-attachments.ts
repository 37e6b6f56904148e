/** A node that is to get a volume which one node at a time can have. */
interface PendingAttachment {
  readonly node: string;
  readonly attachment: string;
  /** The request is under way: nobody can say whether the object is there. */
  creating: boolean;
}

export interface PendingAttachments {
  /**
   * Reserves an exclusive volume for a node. Resolves with the node that has it or is about to get it, else with undefined; then the
   * caller makes the attachment and calls `asked`. `attachedTo` tells what the cache shows.
   */
  reserve(volume: string, o: { node: string; attachment: string; attachedTo: () => string | undefined }): Promise<string | undefined>;
  /** The request of who reserved was answered, whatever the answer. */
  asked(volume: string, attachment: string): void;
  /** The cache shows the attachment: it counts by itself from here on. */
  seen(volume: string, attachment: string): void;
}

/** Between the making of an attachment and its coming up in the cache, no other node gets the volume. `exists` asks the API itself. */
export function createPendingAttachments(exists: (attachment: string) => Promise<boolean>): PendingAttachments {
  const pending = new Map<string, PendingAttachment>();
  return {
    reserve: async (volume, { node, attachment, attachedTo }) => {
      for (;;) {
        const attached = attachedTo();
        if (attached !== undefined) return attached;
        const other = pending.get(volume);
        if (other === undefined || other.node === node) {
          pending.set(volume, { node, attachment, creating: true });
          return undefined;
        }
        if (other.creating || (await exists(other.attachment))) return other.node;
        // It was refused, or deleted before the cache had it. Meanwhile another may have come.
        if (pending.get(volume) === other && !other.creating) pending.delete(volume);
      }
    },
    asked: (volume, attachment) => {
      const own = pending.get(volume);
      if (own?.attachment === attachment) own.creating = false;
    },
    seen: (volume, attachment) => {
      if (pending.get(volume)?.attachment === attachment) pending.delete(volume);
    },
  };
}
