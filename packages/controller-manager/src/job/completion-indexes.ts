import type { Pod } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';

export const completionIndexKey = 'batch.kubernetes.io/job-completion-index';

/** The index a pod works on; undefined where there is none. */
export function completionIndex(pod: DeepReadonly<Pod>): number | undefined {
  const text = pod.metadata?.annotations?.[completionIndexKey];
  return text !== undefined && /^\d+$/.test(text) ? Number(text) : undefined;
}

/** `1,3-5` as a set; what is not below `completions` is left out, as is what is no number. */
export function parseIndexes(text: string | undefined, completions: number): Set<number> {
  const result = new Set<number>();
  for (const part of (text ?? '').split(',')) {
    const match = /^(\d+)(?:-(\d+))?$/.exec(part);
    if (match === null) continue;
    const last = Math.min(Number(match[2] ?? match[1]), completions - 1);
    for (let i = Number(match[1]); i <= last; i++) result.add(i);
  }
  return result;
}

/** Runs of three and more are written with a dash: `0-2,4,5`. */
export function formatIndexes(indexes: ReadonlySet<number>): string {
  const sorted = [...indexes].sort((a, b) => a - b);
  const parts: string[] = [];
  for (let i = 0; i < sorted.length; ) {
    let end = i;
    while (sorted[end + 1] === (sorted[end] ?? 0) + 1) end += 1;
    const [first, last] = [sorted[i] ?? 0, sorted[end] ?? 0];
    parts.push(last === first ? String(first) : last === first + 1 ? `${first},${last}` : `${first}-${last}`);
    i = end + 1;
  }
  return parts.join(',');
}

/** The lowest `count` indexes that are in none of the sets. */
export function firstFreeIndexes(count: number, completions: number, taken: readonly ReadonlySet<number>[]): number[] {
  const result: number[] = [];
  for (let i = 0; i < completions && result.length < count; i++) if (!taken.some((set) => set.has(i))) result.push(i);
  return result;
}
