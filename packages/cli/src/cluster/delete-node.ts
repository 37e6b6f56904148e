import { type ApiAccess, type apiRequest, messageOf, persistentRequest } from './api-request.ts';

/** Deletes a Node; one that is gone already is as good. Resolves with why it could not be done within `withinMs`, undefined when it is. */
export async function deleteNode(
  access: ApiAccess,
  name: string,
  o: { readonly withinMs?: number; readonly request?: typeof apiRequest } = {},
): Promise<string | undefined> {
  try {
    const answer = await persistentRequest(access, { method: 'DELETE', path: `/api/v1/nodes/${name}` }, o);
    return answer.code < 300 || answer.code === 404 ? undefined : messageOf(answer);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
