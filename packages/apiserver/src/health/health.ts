import type { Logger } from '@skiff/component-base';
import type { ApiResponse } from '../contract.ts';
import type { PathHandler, PathRequest, PathRoute } from '../paths.ts';
import { textResponse } from '../request/responses.ts';

/** One line of /livez, /readyz or /healthz. `check` throws (or returns a text) when it isn't well; the text only goes to the log. */
export interface HealthCheck {
  readonly name: string;
  check(signal: AbortSignal): void | string | Promise<void | string>;
}

const checkTimeoutMs = 4000;

async function runCheck(check: HealthCheck): Promise<string | undefined> {
  const controller = new AbortController();
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<string>((resolve) => {
    timer = setTimeout(() => {
      controller.abort();
      resolve(`no answer within ${checkTimeoutMs} ms`);
    }, checkTimeoutMs);
    timer.unref();
  });
  const result = (async () => (await check.check(controller.signal)) ?? undefined)().catch((e: unknown) =>
    e instanceof Error ? e.message : String(e),
  );
  try {
    return await Promise.race([result, late]);
  } finally {
    clearTimeout(timer);
  }
}

/**
 * `/<name>` runs all checks but those in `?exclude=`, `/<name>/<check>` one. Failures answer 500 and keep their reason to the
 * log, as upstream's: anyone may read these pages.
 */
export function healthRoutes(name: string, checks: readonly HealthCheck[], log: Logger): readonly PathRoute[] {
  const all: PathHandler = async (r: PathRequest): Promise<ApiResponse> => {
    const excluded = new Set(r.query.getAll('exclude'));
    const lines: string[] = [];
    const failed: string[] = [];
    const wanted = checks.filter((c) => !excluded.has(c.name));
    const results = await Promise.all(wanted.map(runCheck));
    for (const check of checks) {
      if (excluded.has(check.name)) {
        lines.push(`[+]${check.name} excluded: ok`);
        excluded.delete(check.name);
        continue;
      }
      const problem = results[wanted.indexOf(check)];
      if (problem === undefined) lines.push(`[+]${check.name} ok`);
      else {
        failed.push(`${check.name}: ${problem}`);
        lines.push(`[-]${check.name} failed: reason withheld`);
      }
    }
    if (excluded.size > 0)
      lines.push(`warn: some health checks cannot be excluded: no matches for ${[...excluded].map((e) => JSON.stringify(e)).join(', ')}`);
    if (failed.length > 0) {
      log.warn({ failed }, `${name} check failed`);
      return textResponse(500, `${lines.join('\n')}\n${name} check failed\n`);
    }
    return textResponse(200, r.query.has('verbose') ? `${lines.join('\n')}\n${name} check passed\n` : 'ok');
  };
  const one: PathHandler = async (r) => {
    const check = checks.find((c) => c.name === r.path.slice(name.length + 2));
    if (check === undefined) return undefined;
    const problem = await runCheck(check);
    return problem === undefined ? textResponse(200, 'ok') : textResponse(500, `internal server error: ${problem}\n`);
  };
  return [
    { path: `/${name}`, handle: all },
    { path: `/${name}/*`, handle: one },
  ];
}

export const pingCheck: HealthCheck = { name: 'ping', check: () => undefined };
