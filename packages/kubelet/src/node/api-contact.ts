import type { Clock } from '@skiff/component-base';

/** Remembers since when the API has answered without a gap longer than `gapMs`. The time before the first answer is no gap. */
export function createApiContact(gapMs: number, clock: Clock): { noteAnswer(): void; sinceMs(): number } {
  let sinceMs = Number.NEGATIVE_INFINITY;
  let lastMs = clock.monotonicMs();
  const isCut = (nowMs: number): boolean => nowMs - lastMs > gapMs;
  return {
    noteAnswer: () => {
      const nowMs = clock.monotonicMs();
      if (isCut(nowMs)) sinceMs = nowMs;
      lastMs = nowMs;
    },
    /** Monotonic milliseconds; now, while the API is silent. */
    sinceMs: () => (isCut(clock.monotonicMs()) ? clock.monotonicMs() : sinceMs),
  };
}
