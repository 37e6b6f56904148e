import type { UserInfo } from '../contract.ts';
import type { AuditLevel, AuditStage } from './policy.ts';

/** The object that a request is about, as far as URL and body tell. */
export interface ObjectReference {
  resource?: string;
  namespace?: string;
  name?: string;
  uid?: string;
  apiGroup?: string;
  apiVersion?: string;
  resourceVersion?: string;
  subresource?: string;
}

/** The parts of a Status that are recorded. */
export interface ResponseStatus {
  readonly status?: string | undefined;
  readonly message?: string | undefined;
  readonly reason?: string | undefined;
  readonly details?: unknown;
  readonly code?: number | undefined;
}

/** audit.k8s.io/v1 Event in the making; objects are JSON text. */
export interface EventFields {
  readonly level: AuditLevel;
  readonly auditId: string;
  readonly requestUri: string;
  readonly verb: string;
  readonly user: UserInfo | undefined;
  impersonatedUser: UserInfo | undefined;
  /** Set only when constrained impersonation was used. */
  impersonationConstraint: string | undefined;
  readonly sourceIps: readonly string[];
  readonly userAgent: string;
  objectRef: ObjectReference | undefined;
  responseStatus: ResponseStatus | undefined;
  requestObject: string | undefined;
  responseObject: string | undefined;
  readonly receivedMs: number;
  annotations: Map<string, string> | undefined;
}

/** One line for the log, one item for the webhook: what is written stays as it was at its stage. */
export interface AuditEvent {
  readonly json: string;
  readonly auditId: string;
  /** The same without request and response objects; as it is where it has none. */
  withoutObjects(): string;
}

const microTime = (ms: number): string => {
  const micros = Math.round(ms * 1000);
  const iso = new Date(Math.floor(micros / 1000)).toISOString();
  return `${iso.slice(0, -1)}${String(micros % 1000).padStart(3, '0')}Z`;
};

const userJson = (u: UserInfo | undefined): object =>
  u === undefined
    ? {}
    : {
        username: u.name,
        ...(u.uid === undefined || u.uid === '' ? {} : { uid: u.uid }),
        ...(u.groups.length === 0 ? {} : { groups: u.groups }),
        ...(u.extra === undefined || Object.keys(u.extra).length === 0 ? {} : { extra: u.extra }),
      };

const refJson = (r: ObjectReference): ObjectReference => ({
  ...(r.resource ? { resource: r.resource } : {}),
  ...(r.namespace ? { namespace: r.namespace } : {}),
  ...(r.name ? { name: r.name } : {}),
  ...(r.uid ? { uid: r.uid } : {}),
  ...(r.apiGroup ? { apiGroup: r.apiGroup } : {}),
  ...(r.apiVersion ? { apiVersion: r.apiVersion } : {}),
  ...(r.resourceVersion ? { resourceVersion: r.resourceVersion } : {}),
  ...(r.subresource ? { subresource: r.subresource } : {}),
});

const statusJson = (s: ResponseStatus): object => ({
  metadata: {},
  ...(s.status ? { status: s.status } : {}),
  ...(s.message ? { message: s.message } : {}),
  ...(s.reason ? { reason: s.reason } : {}),
  ...(s.details === undefined || s.details === null ? {} : { details: s.details }),
  ...(s.code ? { code: s.code } : {}),
});

const sorted = (annotations: Map<string, string>): Record<string, string> =>
  Object.fromEntries([...annotations].sort(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));

/** An event as it is now, for `stage`, in upstream's order of fields. */
export function renderEvent(f: EventFields, stage: AuditStage, stageMs: number): AuditEvent {
  const head = JSON.stringify({
    kind: 'Event',
    apiVersion: 'audit.k8s.io/v1',
    level: f.level,
    auditID: f.auditId,
    stage,
    requestURI: f.requestUri,
    verb: f.verb,
    user: userJson(f.user),
    ...(f.impersonatedUser === undefined ? {} : { impersonatedUser: userJson(f.impersonatedUser) }),
    ...(f.impersonationConstraint === undefined ? {} : { authenticationMetadata: { impersonationConstraint: f.impersonationConstraint } }),
    ...(f.sourceIps.length === 0 ? {} : { sourceIPs: f.sourceIps }),
    ...(f.userAgent === '' ? {} : { userAgent: f.userAgent }),
    ...(f.objectRef === undefined ? {} : { objectRef: refJson(f.objectRef) }),
    ...(f.responseStatus === undefined ? {} : { responseStatus: statusJson(f.responseStatus) }),
  }).slice(0, -1);
  const times = `"requestReceivedTimestamp":"${microTime(f.receivedMs)}","stageTimestamp":"${microTime(stageMs)}"`;
  const tail = (annotations: Map<string, string> | undefined): string =>
    annotations === undefined || annotations.size === 0 ? `${times}}` : `${times},"annotations":${JSON.stringify(sorted(annotations))}}`;
  const request = f.requestObject === undefined ? '' : `"requestObject":${f.requestObject},`;
  const response = f.responseObject === undefined ? '' : `"responseObject":${f.responseObject},`;
  const { annotations } = f;
  return {
    json: `${head},${request}${response}${tail(annotations)}`,
    auditId: f.auditId,
    withoutObjects: () => `${head},${tail(new Map([...(annotations ?? []), ['audit.k8s.io/truncated', 'true']]))}`,
  };
}
