import { spawn } from 'node:child_process';
import path from 'node:path';
import { parseDuration } from '@skiff/component-base';
import type { ProviderConfig } from './provider-config.ts';

/** What a plugin says, as CredentialProviderResponse. */
export interface ProviderAnswer {
  readonly cacheKeyType: 'Image' | 'Registry' | 'Global';
  /** undefined: the configured time. */
  readonly cacheMs: number | undefined;
  /** By pattern of images. */
  readonly auth: Readonly<Record<string, { readonly username: string; readonly password: string }>>;
}

export interface ProviderRequest {
  readonly image: string;
  readonly serviceAccountToken?: string;
  readonly serviceAccountAnnotations?: Readonly<Record<string, string>>;
}

/** Upstream's. */
const defaultLimitMs = 60_000;
const maxOutputBytes = 1024 * 1024;
/** What a plugin leaves running may hold its output open: it is read for so long after the plugin's own end. */
const drainMs = 1000;

const cacheKeyTypes = ['Image', 'Registry', 'Global'] as const;

/** Throws when it is no answer in that version of the protocol; never with what it held. */
export function parseAnswer(text: string, apiVersion: string): ProviderAnswer {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    throw new Error('error decoding credential provider plugin response from stdout'); // the parser's complaint may hold credentials
  }
  const answer = (typeof value === 'object' && value !== null ? value : {}) as {
    kind?: unknown;
    apiVersion?: unknown;
    cacheKeyType?: unknown;
    cacheDuration?: unknown;
    auth?: Record<string, { username?: unknown; password?: unknown }> | null;
  };
  if (answer.apiVersion !== apiVersion)
    throw new Error(
      `apiVersion from credential plugin response did not match expected apiVersion:${apiVersion}, actual apiVersion:${String(answer.apiVersion)}`,
    );
  if (answer.kind !== 'CredentialProviderResponse') throw new Error('error decoding credential provider plugin response from stdout');
  const cacheKeyType = cacheKeyTypes.find((t) => t === answer.cacheKeyType);
  if (cacheKeyType === undefined)
    throw new Error(`credential provider plugin did not return a valid cacheKeyType: ${JSON.stringify(answer.cacheKeyType ?? '')}`);
  const cacheMs = typeof answer.cacheDuration === 'string' ? parseDuration(answer.cacheDuration) : undefined;
  if (answer.cacheDuration !== undefined && answer.cacheDuration !== null && cacheMs === undefined)
    throw new Error('error decoding credential provider plugin response from stdout');
  const auth = Object.entries(answer.auth ?? {}).map(([pattern, a]) => {
    return [pattern, { username: String(a.username ?? ''), password: String(a.password ?? '') }] as const;
  });
  return { cacheKeyType, cacheMs, auth: Object.fromEntries(auth) };
}

/** Runs a plugin for one image. Throws with what it said on stderr. After `limitMs` (a minute) it is ended with all that it started. */
export function runPlugin(
  p: ProviderConfig,
  o: { readonly binDirectory: string; readonly request: ProviderRequest; readonly limitMs?: number },
): Promise<ProviderAnswer> {
  const { binDirectory, request, limitMs = defaultLimitMs } = o;
  const failed = (why: string): Error => new Error(`error execing credential provider plugin ${p.name} for image ${request.image}: ${why}`);
  return new Promise((resolve, reject) => {
    // A group of its own: ended alone, a wrapper in shell would leave what it waits for.
    const child = spawn(path.join(binDirectory, p.name), p.args, {
      env: { ...process.env, ...p.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      detached: true,
    });
    const { pid } = child;
    const killGroup = (): void => {
      if (pid === undefined || child.exitCode !== null || child.signalCode !== null) return;
      try {
        process.kill(-pid, 'SIGKILL');
      } catch (error) {
        if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
      }
    };
    const limit = setTimeout(killGroup, limitMs);
    let draining: NodeJS.Timeout | undefined;
    const out: Buffer[] = [];
    let size = 0;
    let said = '';
    child.stdout.on('data', (b: Buffer) => {
      size += b.length;
      if (size <= maxOutputBytes) out.push(b);
      else killGroup();
    });
    child.stderr.on('data', (b: Buffer) => (said = `${said}${b.toString()}`.slice(0, 4096)));
    const settle = (code: number | null, signal: NodeJS.Signals | null): void => {
      clearTimeout(draining);
      for (const pipe of [child.stdin, child.stdout, child.stderr]) pipe.destroy();
      if (size > maxOutputBytes) return reject(failed(`it said more than ${maxOutputBytes} bytes`));
      if (code !== 0)
        return reject(failed(`${code === null ? `ended by ${signal ?? 'a signal'}` : `exit status ${code}`}: ${said.trim()}`));
      try {
        resolve(parseAnswer(Buffer.concat(out).toString(), p.apiVersion));
      } catch (error) {
        reject(error as Error);
      }
    };
    child.once('error', (cause) => {
      clearTimeout(limit);
      reject(failed(cause.message));
    });
    child.once('exit', (code, signal) => {
      clearTimeout(limit);
      draining = setTimeout(() => settle(code, signal), drainMs);
    });
    child.once('close', settle);
    // A plugin may answer without reading its question.
    child.stdin.on('error', () => undefined);
    child.stdin.end(JSON.stringify({ kind: 'CredentialProviderRequest', apiVersion: p.apiVersion, ...request }));
  });
}
