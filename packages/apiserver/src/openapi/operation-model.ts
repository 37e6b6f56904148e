export interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query';
  readonly type: 'string' | 'integer' | 'boolean';
}

export interface Operation {
  readonly method: 'get' | 'put' | 'post' | 'delete' | 'options' | 'head' | 'patch';
  readonly id: string;
  readonly tag: string;
  readonly action?: 'list' | 'get' | 'post' | 'put' | 'patch' | 'delete' | 'deletecollection' | 'watch' | 'watchlist' | 'connect';
  readonly kind?: { readonly group: string; readonly version: string; readonly kind: string };
  readonly parameters: readonly Parameter[];
  readonly body?: { readonly schema: string; readonly required: boolean; readonly types?: readonly string[] };
  /** Code → schema name; undefined: a plain string. */
  readonly responses: Readonly<Record<string, string | undefined>>;
  /** What answers may look like. */
  readonly produces: 'object' | 'list' | 'json' | 'document' | 'keys' | 'log' | 'any';
  /** About a custom kind. */
  readonly custom?: boolean;
}

export interface PathItem {
  readonly path: string;
  /** For all operations of the path. */
  readonly parameters: readonly Parameter[];
  readonly operations: readonly Operation[];
}

export const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1';
export const query = (name: string, type: Parameter['type'] = 'string'): Parameter => ({ name, in: 'query', type });
export const inPath = (name: string): Parameter => ({ name, in: 'path', type: 'string' });

export const pretty = query('pretty');
export const namespaceParameter = inPath('namespace');
export const nameParameter = inPath('name');
export const listParameters: readonly Parameter[] = [
  query('allowWatchBookmarks', 'boolean'),
  query('continue'),
  query('fieldSelector'),
  query('labelSelector'),
  query('limit', 'integer'),
  query('resourceVersion'),
  query('resourceVersionMatch'),
  query('sendInitialEvents', 'boolean'),
  query('timeoutSeconds', 'integer'),
  query('watch', 'boolean'),
];
export const writeParameters = [query('dryRun'), query('fieldManager'), query('fieldValidation')];
export const deleteParameters = [
  query('dryRun'),
  query('gracePeriodSeconds', 'integer'),
  query('ignoreStoreReadErrorWithClusterBreakingPotential', 'boolean'),
  query('orphanDependents', 'boolean'),
  query('propagationPolicy'),
];
export const deleteCollectionParameters = [
  ...listParameters.filter((p) => p.name !== 'allowWatchBookmarks' && p.name !== 'watch'),
  ...deleteParameters,
];
export const patchTypes = [
  'application/json-patch+json',
  'application/merge-patch+json',
  'application/strategic-merge-patch+json',
  'application/apply-patch+yaml',
];
export const connectParameters: Readonly<Record<string, readonly Parameter[]>> = {
  exec: [
    query('command'),
    query('container'),
    query('stderr', 'boolean'),
    query('stdin', 'boolean'),
    query('stdout', 'boolean'),
    query('tty', 'boolean'),
  ],
  attach: [query('container'), query('stderr', 'boolean'), query('stdin', 'boolean'), query('stdout', 'boolean'), query('tty', 'boolean')],
  portforward: [query('ports', 'integer')],
  proxy: [query('path')],
};
export const logParameters = [
  query('container'),
  query('follow', 'boolean'),
  query('insecureSkipTLSVerifyBackend', 'boolean'),
  query('limitBytes', 'integer'),
  query('previous', 'boolean'),
  query('sinceSeconds', 'integer'),
  query('stream'),
  query('tailLines', 'integer'),
  query('timestamps', 'boolean'),
];
