import type { Clock } from '@skiff/component-base';
import { type RemoteClient, RemoteError } from './remote-client.ts';

const tries = 5;
const firstPauseMs = 500;
const factor = 1.5;

const isWorthRetrying = (error: unknown): boolean =>
  error instanceof RemoteError && (error.code === undefined || error.code === 429 || error.code >= 500);

/** Posts a review to a server that decides; what may go better the next time is tried again, after longer and longer pauses. Throws RemoteError. */
export async function callReview(
  client: RemoteClient,
  review: object,
  o: { timeoutMs: number; clock: Pick<Clock, 'sleep'> },
): Promise<Readonly<Record<string, unknown>>> {
  const body = JSON.stringify(review);
  let pauseMs = firstPauseMs;
  for (let attempt = 1; ; attempt++) {
    try {
      const answer: unknown = JSON.parse(await client.post(body, { timeoutMs: o.timeoutMs }));
      if (typeof answer !== 'object' || answer === null || Array.isArray(answer)) throw new RemoteError('the answer is no object', 200);
      return answer as Readonly<Record<string, unknown>>;
    } catch (error) {
      if (error instanceof SyntaxError) throw new RemoteError('the answer is no JSON', 200);
      if (attempt >= tries || !isWorthRetrying(error)) throw error;
    }
    await o.clock.sleep(pauseMs);
    pauseMs *= factor;
  }
}
