import { request } from 'node:http';
import { UserError } from '../user-error.ts';

export interface LoadReport {
  readonly requests: number;
  readonly failures: readonly string[];
  /** First word-run of each answer (`web v1`) → how often. */
  readonly answers: ReadonlyMap<string, number>;
}

/** One GET on a connection of its own. Rejects on anything but 200. */
export function getOnce(url: string, timeoutMs = 5000): Promise<string> {
  return new Promise((resolve, reject) => {
    const req = request(url, { agent: false, timeout: timeoutMs }, (res) => {
      let text = '';
      res.setEncoding('utf8');
      res.on('data', (d: string) => {
        text += d;
      });
      res.on('error', reject);
      res.on('end', () => (res.statusCode === 200 ? resolve(text.trim()) : reject(new Error(`status ${res.statusCode}: ${text}`))));
    });
    req.on('timeout', () => req.destroy(new Error('timed out')));
    req.on('error', reject);
    req.end();
  });
}

/**
 * Waits until the address answers: Ready pods reach every way to a Service shortly after the Deployment says so, a node port a little
 * later than the cluster address. Throws UserError with the last failure after `timeoutMs`.
 */
export async function untilAnswered(url: string, timeoutMs = 30_000): Promise<string> {
  const deadline = Date.now() + timeoutMs;
  for (;;) {
    try {
      return await getOnce(url);
    } catch (error) {
      if (Date.now() > deadline) throw new UserError(`${url} did not answer within ${timeoutMs / 1000} s: ${(error as Error).message}`);
    }
    await new Promise((r) => setTimeout(r, 50));
  }
}

/** A steady load of new connections, until `stop` is called. `classify` names an answer. */
export function startLoad(url: string, o: { perSecond: number; classify: (text: string) => string }): { stop(): Promise<LoadReport> } {
  const failures: string[] = [];
  const answers = new Map<string, number>();
  const open = new Set<Promise<void>>();
  let requests = 0;
  const fire = (): void => {
    requests += 1;
    // Failed is what is refused or cut off; a busy host may be slow.
    const one = getOnce(url, 30_000).then(
      (text) => {
        const name = o.classify(text);
        answers.set(name, (answers.get(name) ?? 0) + 1);
      },
      (error: Error) => {
        failures.push(error.message);
      },
    );
    open.add(one);
    void one.finally(() => open.delete(one));
  };
  const timer = setInterval(fire, 1000 / o.perSecond);
  return {
    async stop() {
      clearInterval(timer);
      await Promise.all(open);
      return { requests, failures, answers };
    },
  };
}
