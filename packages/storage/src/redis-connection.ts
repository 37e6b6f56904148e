import type { Redis } from 'ioredis';
import { StoreUnavailableError, UnknownOutcomeError } from './contract.ts';
import { establishScript, redisKeys, redisScripts, type RedisScript } from './redis-scripts.ts';

export interface RedisStoreConfig {
  /** `redis://` or `rediss://` with user, password and database. */
  readonly url: string;
  /** PEM, for `rediss://` with a CA of one's own. */
  readonly tls?: { readonly ca: Buffer; readonly cert?: Buffer; readonly key?: Buffer };
  /** All of the store's keys in Redis carry it as their hash tag. Default `skiff`. */
  readonly namespace?: string;
  /** Default 1.5 MiB, etcd's own limit. */
  readonly maxValueBytes?: number;
}

type Argument = string | number | Buffer;
/** A reply with its bulk strings as buffers, which are views of what came from the socket. */
export type Reply = Buffer | number | null | readonly Reply[];

const commandTimeoutMs = 15_000;

/**
 * One connection at a time, made on demand and never re-made behind our back: ioredis would send unanswered writes again after a
 * reconnect, and a compare-and-set that is done twice reports a lost race to the one who won it.
 */
export class RedisConnection {
  readonly #config: RedisStoreConfig;
  readonly #keys: string[];
  #current: Promise<Redis> | undefined;
  #closed = false;

  constructor(config: RedisStoreConfig) {
    this.#config = config;
    this.#keys = redisKeys(config.namespace ?? 'skiff');
  }

  /** Runs a script, atomically. A script that Redis no longer knows did nothing: it is sent again after `establish`. */
  async run(name: RedisScript, args: readonly Argument[], kind: 'read' | 'write'): Promise<Reply> {
    for (let attempt = 0; ; attempt++) {
      const redis = await this.#connected();
      try {
        return (await redis.callBuffer('EVALSHA', [redisScripts[name].sha, this.#keys.length, ...this.#keys, ...args])) as Reply;
      } catch (error) {
        if (!(error instanceof Error && error.name === 'ReplyError')) {
          if (kind === 'read' && attempt === 0) continue;
          throw kind === 'write' ? new UnknownOutcomeError(error) : new StoreUnavailableError(error);
        }
        if (!/^(NOSCRIPT|LOST)/.test(error.message) || attempt > 2) throw new StoreUnavailableError(error);
        await this.#establish(redis);
      }
    }
  }

  /** Resolves when the log may have grown beyond `after`, after 5 s at the latest, or when `signal` aborts. */
  async waitForLog(after: number, signal: AbortSignal): Promise<void> {
    const redis = await this.#connected();
    if (signal.aborted) return;
    const stop = (): void => redis.disconnect();
    signal.addEventListener('abort', stop, { once: true });
    try {
      await redis.callBuffer('XREAD', ['COUNT', 1, 'BLOCK', 5_000, 'STREAMS', this.#keys[3] as string, `${after}-0`]);
    } catch (error) {
      if (!signal.aborted) throw new StoreUnavailableError(error);
    } finally {
      signal.removeEventListener('abort', stop);
    }
  }

  close(): void {
    this.#closed = true;
    this.#current?.then(
      (redis) => redis.disconnect(),
      () => undefined,
    );
  }

  async #connected(): Promise<Redis> {
    if (this.#closed) throw new StoreUnavailableError(new Error('closed'));
    this.#current ??= this.#connect();
    try {
      return await this.#current;
    } catch (error) {
      throw error instanceof StoreUnavailableError ? error : new StoreUnavailableError(error);
    }
  }

  async #connect(): Promise<Redis> {
    const { tls } = this.#config;
    // Loaded on first use: it takes 11 MB, and Redis is optional.
    const { Redis } = await import('ioredis');
    const redis = new Redis(this.#config.url, {
      lazyConnect: true,
      retryStrategy: () => null,
      maxRetriesPerRequest: null,
      connectTimeout: 3_000,
      commandTimeout: commandTimeoutMs,
      keepAlive: 10_000,
      ...(tls && { tls: { ca: tls.ca, ...(tls.cert && { cert: tls.cert }), ...(tls.key && { key: tls.key }) } }),
    });
    let failure: Error | undefined;
    const forget = (): void => {
      this.#current = undefined;
    };
    redis.on('error', (error: Error) => {
      failure = error;
    });
    redis.on('end', forget);
    try {
      await redis.connect();
      await this.#establish(redis);
      return redis;
    } catch (error) {
      forget();
      redis.disconnect();
      throw new StoreUnavailableError(failure ?? error);
    }
  }

  /** Loads the scripts and, when the server is another than last time or has no data, starts a new epoch: every watch then ends. */
  async #establish(redis: Redis): Promise<void> {
    const info = await redis.info();
    const field = (name: string): string => new RegExp(`^${name}:(.*?)\\r?$`, 'm').exec(info)?.[1] ?? '';
    if (field('maxmemory') !== '0' && field('maxmemory_policy') !== 'noeviction') {
      throw new StoreUnavailableError(
        new Error(
          `Redis would throw data away when its memory is full: maxmemory-policy is ${field('maxmemory_policy')}, it must be noeviction`,
        ),
      );
    }
    await redis.call('EVAL', [establishScript, this.#keys.length, ...this.#keys, field('run_id')]);
    for (const { source } of Object.values(redisScripts)) await redis.call('SCRIPT', ['LOAD', source]);
  }
}
