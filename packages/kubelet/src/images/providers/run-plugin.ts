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
const limitMs = 60_000;
const maxOutputBytes = 1024 * 1024;

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

/** Runs a plugin for one image. Throws with what it said on stderr. */
export function runPlugin(
  p: ProviderConfig,
  o: { readonly binDirectory: string; readonly request: ProviderRequest },
): Promise<ProviderAnswer> {
  const { binDirectory, request } = o;
  const failed = (why: string): Error => new Error(`error execing credential provider plugin ${p.name} for image ${request.image}: ${why}`);
  return new Promise((resolve, reject) => {
    const child = spawn(path.join(binDirectory, p.name), p.args, {
      env: { ...process.env, ...p.env },
      stdio: ['pipe', 'pipe', 'pipe'],
      timeout: limitMs,
      killSignal: 'SIGKILL',
    });
    const out: Buffer[] = [];
    let size = 0;
    let said = '';
    child.stdout.on('data', (b: Buffer) => {
      size += b.length;
      if (size <= maxOutputBytes) out.push(b);
      else child.kill('SIGKILL');
    });
    child.stderr.on('data', (b: Buffer) => (said = `${said}${b.toString()}`.slice(0, 4096)));
    child.once('error', (cause) => reject(failed(cause.message)));
    child.once('close', (code, signal) => {
      if (size > maxOutputBytes) return reject(failed(`it said more than ${maxOutputBytes} bytes`));
      if (code !== 0)
        return reject(failed(`${code === null ? `ended by ${signal ?? 'a signal'}` : `exit status ${code}`}: ${said.trim()}`));
      try {
        resolve(parseAnswer(Buffer.concat(out).toString(), p.apiVersion));
      } catch (error) {
        reject(error as Error);
      }
    });
    // A plugin may answer without reading its question.
    child.stdin.on('error', () => undefined);
    child.stdin.end(JSON.stringify({ kind: 'CredentialProviderRequest', apiVersion: p.apiVersion, ...request }));
  });
}
