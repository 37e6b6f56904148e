import { badRequest, FieldErrors, formatGroupVersion, invalid, type JsonObject } from '@skiff/apimachinery';
import type { RequestAudit } from '../contract.ts';
import { parseRequestBody } from './request-body.ts';

/** metav1.DeleteOptions. */
export interface DeleteOptions {
  readonly gracePeriodSeconds: number | undefined;
  readonly preconditions: { readonly uid?: string; readonly resourceVersion?: string };
  readonly orphanDependents: boolean | undefined;
  readonly propagationPolicy: string | undefined;
  readonly dryRun: boolean;
}

/** From the body where there is one, else from the query. Throws BadRequest and Invalid. */
export function parseDeleteOptions(r: {
  body: Buffer;
  contentType: string;
  query: URLSearchParams;
  audit?: RequestAudit | undefined;
}): DeleteOptions {
  const raw = r.body.length > 0 ? optionsFromBody(r) : optionsFromQuery(r.query);
  const errors = new FieldErrors();
  const { orphanDependents, propagationPolicy } = raw;
  if (orphanDependents !== undefined && propagationPolicy !== undefined) {
    errors.invalid('propagationPolicy', propagationPolicy, 'orphanDependents and deletionPropagation cannot be both set');
  }
  if (propagationPolicy !== undefined && !['Foreground', 'Background', 'Orphan'].includes(propagationPolicy)) {
    errors.notSupported('propagationPolicy', propagationPolicy, ['Foreground', 'Background', 'Orphan', 'nil']);
  }
  if (raw.dryRun.some((v) => v !== 'All')) errors.notSupported('dryRun', raw.dryRun, ['All']);
  if (!errors.empty) throw invalid({ group: 'meta.k8s.io', kind: 'DeleteOptions' }, '', errors.list);
  return { ...raw, dryRun: raw.dryRun.length > 0 };
}

type RawOptions = Omit<DeleteOptions, 'dryRun'> & { readonly dryRun: readonly string[] };

function optionsFromQuery(query: URLSearchParams): RawOptions {
  const seconds = query.get('gracePeriodSeconds');
  if (seconds !== null && !/^[+-]?\d+$/.test(seconds))
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(seconds)}: invalid syntax`);
  const orphan = query.get('orphanDependents');
  return {
    gracePeriodSeconds: seconds === null ? undefined : Number(seconds),
    preconditions: {},
    orphanDependents: orphan === null ? undefined : !(orphan.toLowerCase() === 'false' || orphan === '0'),
    propagationPolicy: query.get('propagationPolicy') ?? undefined,
    dryRun: query.getAll('dryRun'),
  };
}

function optionsFromBody(r: { body: Buffer; contentType: string; audit?: RequestAudit | undefined }): RawOptions {
  const tree = parseRequestBody(r, (why) => badRequest(`couldn't get version/kind; json parse error: ${why}`)).value;
  const { kind, apiVersion } = tree;
  if (typeof kind === 'string' && kind !== '' && kind !== 'DeleteOptions') {
    const version = typeof apiVersion === 'string' && apiVersion !== '' ? apiVersion : formatGroupVersion('meta.k8s.io', 'v1');
    throw badRequest(
      `no kind ${JSON.stringify(kind)} is registered for version ${JSON.stringify(version)} in scheme "pkg/apis/meta/internalversion/scheme/register.go:27"`,
    );
  }
  // Upstream records them in the form that only it has inside.
  r.audit?.requestObject({ kind: 'DeleteOptions', apiVersion: 'meta.k8s.io/__internal', ...withoutKind(tree) });
  const preconditions = tree['preconditions'];
  const given = typeof preconditions === 'object' && preconditions !== null && !Array.isArray(preconditions) ? preconditions : {};
  const uid = typed(given, 'uid', 'string');
  const resourceVersion = typed(given, 'resourceVersion', 'string');
  const dryRun = tree['dryRun'] ?? [];
  return {
    gracePeriodSeconds: typed(tree, 'gracePeriodSeconds', 'number'),
    preconditions: { ...(uid === undefined ? {} : { uid }), ...(resourceVersion === undefined ? {} : { resourceVersion }) },
    orphanDependents: typed(tree, 'orphanDependents', 'boolean'),
    propagationPolicy: typed(tree, 'propagationPolicy', 'string'),
    dryRun: Array.isArray(dryRun) ? dryRun.map(String) : [String(dryRun)],
  };
}

function withoutKind({ kind: _kind, apiVersion: _apiVersion, ...options }: JsonObject): JsonObject {
  return options;
}

interface Scalars {
  string: string;
  number: number;
  boolean: boolean;
}
const goTypes = { string: 'string', number: 'int64', boolean: 'bool' } as const;

function typed<K extends keyof Scalars>(tree: JsonObject, field: string, type: K): Scalars[K] | undefined {
  const value = tree[field];
  if (value === undefined || value === null) return undefined;
  if (typeof value === type) return value as Scalars[K];
  const is = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value;
  throw badRequest(`json: cannot unmarshal ${is} into Go struct field DeleteOptions.${field} of type ${goTypes[type]}`);
}
