/**
 * Runs `work` `count` times in batches of 1, 2, 4, …; a batch with a failure is the last one. What fails for one pod (quota) mostly
 * fails for all. Returns how many succeeded and the first error.
 */
export async function slowStart(count: number, work: (index: number) => Promise<void>): Promise<{ succeeded: number; error?: unknown }> {
  let started = 0;
  let succeeded = 0;
  for (let batch = Math.min(1, count); batch > 0; batch = Math.min(batch * 2, count - started)) {
    const results = await Promise.allSettled(Array.from({ length: batch }, (_, i) => work(started + i)));
    started += batch;
    succeeded += results.filter((r) => r.status === 'fulfilled').length;
    const failed = results.find((r) => r.status === 'rejected');
    if (failed !== undefined) return { succeeded, error: failed.reason };
  }
  return { succeeded };
}
