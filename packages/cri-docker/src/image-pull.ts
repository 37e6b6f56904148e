import { isRuntimeError, type RegistryCredentials, RuntimeError, type RuntimeErrorKind } from '@skiff/cri';
import { childSignal } from '@skiff/component-base';
import type { Engine } from './engine.ts';
import { engineMessage } from './engine-error.ts';
import { familiarRepository, parseImageName } from './image-name.ts';

/** Registries' complaints reach us as texts only; this table is the one place that reads them. */
const complaints: readonly (readonly [RegExp, RuntimeErrorKind])[] = [
  [/manifest unknown|manifest for .* not found|name unknown|repository does not exist|not found: manifest/i, 'image-missing'],
  [
    /unauthorized|authentication required|no basic auth credentials|access denied|requested access to the resource is denied|403 forbidden/i,
    'image-auth',
  ],
  [
    /no such host|connection refused|i\/o timeout|network is unreachable|TLS handshake|context deadline exceeded|Client\.Timeout|server misbehaving|connection reset|no route to host|EOF$/i,
    'registry-unavailable',
  ],
];

export const classifyPullFailure = (message: string): RuntimeErrorKind =>
  complaints.find(([pattern]) => pattern.test(message))?.[1] ?? 'image-pull';

/** The engine reads base64 for URLs, and silently takes what lacks its padding for no credentials at all. */
export const renderAuth = (c: RegistryCredentials): string => {
  const text = Buffer.from(
    JSON.stringify({
      username: c.username,
      password: c.password,
      serveraddress: c.serverAddress,
      ...(c.identityToken === undefined ? {} : { identitytoken: c.identityToken }),
    }),
  ).toString('base64url');
  return text.padEnd(Math.ceil(text.length / 4) * 4, '=');
};

/** POST /images/create, reading its progress to the end. A pull that makes no progress for `deadlineMs` is given up. */
export async function pullImage(o: {
  engine: Engine;
  name: string;
  credentials: RegistryCredentials | undefined;
  deadlineMs: number;
  signal: AbortSignal;
}): Promise<void> {
  const n = parseImageName(o.name);
  const query = { fromImage: familiarRepository(n), tag: n.digest ?? n.tag ?? 'latest' };
  using child = childSignal(o.signal);
  let timer: NodeJS.Timeout | undefined;
  let stalled = false;
  const progressed = (): void => {
    clearTimeout(timer);
    timer = setTimeout(() => {
      stalled = true;
      child.abort(new Error('no progress'));
    }, o.deadlineMs);
  };
  progressed();
  let lastProgress = '';
  try {
    const source = await o.engine.stream({
      method: 'POST',
      path: '/images/create',
      query,
      ...(o.credentials === undefined ? {} : { headers: { 'X-Registry-Auth': renderAuth(o.credentials) } }),
      signal: child.signal,
      patient: true,
    });
    let rest = '';
    for await (const chunk of source) {
      const lines = (rest + (chunk as Buffer).toString()).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) {
        const trimmed = line.trim();
        if (trimmed === '') continue;
        const entry = JSON.parse(trimmed) as { error?: string };
        if (entry.error !== undefined) throw new RuntimeError(classifyPullFailure(entry.error), entry.error);
        if (trimmed !== lastProgress) progressed();
        lastProgress = trimmed;
      }
    }
  } catch (error) {
    if (stalled) throw new RuntimeError('timeout', `no progress in pulling ${o.name} for ${o.deadlineMs / 1000} s`, { cause: error });
    if (o.signal.aborted) throw o.signal.reason;
    if (isRuntimeError(error, 'unavailable') || (isRuntimeError(error) && error.kind.startsWith('image-'))) throw error;
    throw new RuntimeError(classifyPullFailure(engineMessage(error)), engineMessage(error), { cause: error });
  } finally {
    clearTimeout(timer);
  }
}
