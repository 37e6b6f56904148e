import { createHash } from 'node:crypto';

/**
 * The queues of a flow: `handSize` different ones out of `deckSize`, drawn by the flow's hash (shuffle sharding, KEP-1040), so that two
 * flows hardly ever share all of theirs.
 */
export function dealHand(flow: string, deckSize: number, handSize: number): readonly number[] {
  let entropy = createHash('sha256').update(flow).digest().readBigUInt64LE();
  const hand: number[] = [];
  for (let dealt = 0; dealt < handSize; dealt++) {
    const left = BigInt(deckSize - dealt);
    let card = Number(entropy % left);
    entropy /= left;
    // The card is one of those left: count past those that are gone, in ascending order.
    for (const gone of [...hand].sort((a, b) => a - b)) if (gone <= card) card++;
    hand.push(card);
  }
  return hand;
}

export const maxHashBits = 60;
/** Bits of the hash that a deal uses up; more than `maxHashBits` can't be dealt. */
export const requiredEntropyBits = (deckSize: number, handSize: number): number => Math.ceil(Math.log2(deckSize) * handSize);
