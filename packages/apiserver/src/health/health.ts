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
export function healthRoutes(
  name: string,
  checks: readonly HealthCheck[],
  deps: { log: Logger; results: HealthResults },
): readonly PathRoute[] {
  const { log } = deps;
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
      deps.results.note(name, check.name, problem === undefined);
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

/** What the checks said when they were last asked, as metrics (/metrics/slis). */
export class HealthResults {
  readonly #series = new Map<string, { type: string; name: string; well: boolean; success: number; error: number }>();

  note(type: string, name: string, well: boolean): void {
    const key = `${type} ${name}`;
    const found = this.#series.get(key) ?? { type, name, well, success: 0, error: 0 };
    found.well = well;
    found[well ? 'success' : 'error']++;
    this.#series.set(key, found);
  }

  render(): string {
    const all = [...this.#series.values()];
    const gauge = all.map((s) => `kubernetes_healthcheck{name="${s.name}",type="${s.type}"} ${s.well ? 1 : 0}`);
    const counter = all.flatMap((s) =>
      (['error', 'success'] as const).flatMap((status) =>
        s[status] === 0 ? [] : [`kubernetes_healthchecks_total{name="${s.name}",status="${status}",type="${s.type}"} ${s[status]}`],
      ),
    );
    return [
      '# HELP kubernetes_healthcheck What a check said last.',
      '# TYPE kubernetes_healthcheck gauge',
      ...gauge,
      '# HELP kubernetes_healthchecks_total What a check said, counted.',
      '# TYPE kubernetes_healthchecks_total counter',
      ...counter,
      '',
    ].join('\n');
  }
}
