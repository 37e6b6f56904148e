import { type ApiAccess, apiRequest, messageOf } from './api-request.ts';

const againMs = 1_000;

/**
 * Deletes a Node; one that is gone already is as good. Resolves with why it could not be done, undefined when it is. Asked again for `withinMs`
 * while the servers have trouble: beside a host that has just gone, an apiserver may wait for that host's etcd and not know what came of a write.
 */
export async function deleteNode(
  access: ApiAccess,
  name: string,
  o: { readonly withinMs?: number; readonly call?: typeof apiRequest } = {},
): Promise<string | undefined> {
  const { withinMs = 30_000, call = apiRequest } = o;
  const endMs = performance.now() + withinMs;
  for (;;) {
    const left = endMs - performance.now();
    let why: string;
    try {
      const answer = await call(access, { method: 'DELETE', path: `/api/v1/nodes/${name}`, timeoutMs: Math.max(left, againMs) });
      if (answer.code < 300 || answer.code === 404) return undefined;
      why = messageOf(answer);
      if (answer.code < 500 && answer.code !== 429) return why;
    } catch (error) {
      why = error instanceof Error ? error.message : String(error);
    }
    if (left < againMs) return why;
    await new Promise((r) => setTimeout(r, againMs));
  }
}
