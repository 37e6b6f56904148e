import type { JsonObject, ResourceDefinition } from '@skiff/apimachinery';
import type { AdmissionChain, AuditAnnotations, Lifetime, RequestInfo, UserInfo } from '../contract.ts';

const flags: ReadonlySet<string> = new Set(['stdin', 'stdout', 'stderr', 'tty']);
const lists: ReadonlySet<string> = new Set(['command']);

/** What a streaming request asks for, as the object (PodExecOptions and its like) that admission sees. */
function optionsObject(kind: string, query: URLSearchParams): JsonObject {
  const object: JsonObject = { kind, apiVersion: 'v1' };
  for (const name of new Set(query.keys())) {
    if (flags.has(name)) object[name] = /^(?:true|1)$/.test(query.get(name) ?? '');
    else object[name] = lists.has(name) ? query.getAll(name) : (query.get(name) ?? '');
  }
  if (query.has('ports')) object['ports'] = query.getAll('ports').map(Number);
  return object;
}

export interface ConnectRequest {
  readonly info: RequestInfo;
  readonly definition: ResourceDefinition;
  readonly user: UserInfo;
  readonly query: URLSearchParams;
  /** Gets admission's warnings. */
  readonly warnings: string[];
  readonly audit?: AuditAnnotations | undefined;
}

/** Asks admission about a streaming request (operation CONNECT). Throws StatusError when it is refused. */
export async function admitConnect(chain: AdmissionChain | undefined, r: ConnectRequest, lifetime: Lifetime): Promise<void> {
  const kind = r.definition.subresources?.[r.info.subresource]?.kind;
  // Logs are read with GET, which upstream does not take for a connection.
  if (chain === undefined || kind === undefined || r.info.subresource === 'log') return;
  const request = {
    operation: 'CONNECT' as const,
    definition: r.definition,
    subresource: r.info.subresource,
    namespace: r.info.namespace,
    name: r.info.name,
    object: optionsObject(kind, r.query),
    oldObject: null,
    options: {},
    dryRun: false,
    user: r.user,
    warnings: r.warnings,
    audit: r.audit,
    memo: new Map<string, unknown>(),
  };
  await chain.mutate(request, lifetime);
  await chain.validate(request, lifetime);
}
