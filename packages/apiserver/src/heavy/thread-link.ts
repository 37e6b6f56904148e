import { tooManyRequests } from '@skiff/apimachinery';
import type { Clock, Logger } from '@skiff/component-base';

/** Another thread, which answers each message with one that has the same id. */
export interface Thread<Question extends { id: number }, Answer extends { id: number }> {
  post(message: Question): void;
  /** `ended`: it is gone, by itself or because it was stopped. */
  on(handlers: { answer: (message: Answer) => void; ended: (error: Error | undefined) => void }): void;
  stop(): void;
}

export interface ThreadLinkConfig {
  readonly name: string;
  /** Questions under way and waiting. */
  readonly maxQuestions: number;
  /** The thread is stopped when there was nothing to do for so long. */
  readonly idleMs: number;
  /** …and when it has answered nothing for so long although there was something to answer. */
  readonly stallMs: number;
}

/** The thread has gone without an answer: it failed, or took too long. */
export class ThreadLostError extends Error {
  override readonly name = 'ThreadLostError';
}

export interface ThreadLink<Question extends { id: number }, Answer extends { id: number }> {
  /** Throws TooManyRequests; rejects with ThreadLostError. */
  ask(question: Omit<Question, 'id'>): Promise<Answer>;
  /** The thread has shown that it is alive. */
  touch(): void;
  stop(): void;
}

/** Questions to a thread that is started when there is one and stopped when there has been none for a while. */
export function createThreadLink<Question extends { id: number }, Answer extends { id: number }>(
  config: ThreadLinkConfig,
  deps: { start: () => Thread<Question, Answer>; clock: Clock; log: Logger },
): ThreadLink<Question, Answer> {
  const { clock, log } = deps;
  const waiting = new Map<number, { resolve: (answer: Answer) => void; reject: (error: Error) => void }>();
  let thread: Thread<Question, Answer> | undefined;
  let timer: Disposable | undefined;
  let nextId = 1;

  const stop = (why: string): void => {
    if (thread === undefined) return;
    log.debug({ thread: config.name, why }, 'thread is stopped');
    thread.stop();
  };
  /** Counts from the last question or answer. */
  const restartTimer = (): void => {
    timer?.[Symbol.dispose]();
    const busy = waiting.size > 0;
    timer =
      thread === undefined
        ? undefined
        : clock.after(busy ? config.stallMs : config.idleMs, () => stop(busy ? 'no answer for too long' : 'idle'));
  };
  const started = (): Thread<Question, Answer> => {
    if (thread !== undefined) return thread;
    const fresh = deps.start();
    thread = fresh;
    fresh.on({
      answer: (answer) => {
        const asked = waiting.get(answer.id);
        waiting.delete(answer.id);
        restartTimer();
        asked?.resolve(answer);
      },
      ended: (error) => {
        if (thread !== fresh) return;
        thread = undefined;
        if (error !== undefined) log.error({ err: error, thread: config.name }, 'thread has failed');
        const lost = [...waiting.values()];
        waiting.clear();
        restartTimer();
        for (const { reject } of lost) reject(new ThreadLostError(`the thread ${config.name} ended without an answer`, { cause: error }));
      },
    });
    return fresh;
  };

  return {
    ask: (question) => {
      if (waiting.size >= config.maxQuestions) throw tooManyRequests('Too many requests, please try again later.', 1);
      return new Promise((resolve, reject) => {
        const id = nextId++;
        waiting.set(id, { resolve, reject });
        started().post({ ...question, id } as Question);
        restartTimer();
      });
    },
    touch: restartTimer,
    stop: () => stop('the server stops'),
  };
}
