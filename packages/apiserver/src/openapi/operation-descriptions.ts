import type { Operation, Parameter } from './operation-model.ts';

const parameters: Readonly<Record<string, string>> = {
  pretty: 'If true, the answer is indented.',
  name: 'Name of the object.',
  namespace: 'Namespace of the object.',
  allowWatchBookmarks: 'Whether a watch may send events of type BOOKMARK, which say how far it has come.',
  continue: 'Token of the last answer, for the next part of a list.',
  fieldSelector: 'Chooses objects by fields.',
  labelSelector: 'Chooses objects by labels.',
  limit: 'The most objects in one answer.',
  resourceVersion: 'State of the server that the answer shows, or that a watch begins at.',
  resourceVersionMatch: 'How resourceVersion is meant: Exact or NotOlderThan.',
  sendInitialEvents: 'Whether a watch begins with the objects that there are, as events.',
  timeoutSeconds: 'Seconds after which a list or watch ends.',
  watch: 'If true, changes are sent as they happen, until the client leaves.',
  dryRun: 'With the value All everything is checked and nothing is stored.',
  fieldManager: 'Who makes the change, for metadata.managedFields.',
  fieldValidation: 'What happens with unknown and duplicate fields: Ignore, Warn or Strict.',
  force: 'If true, an apply takes fields away from other managers.',
  gracePeriodSeconds: 'Seconds that the object gets to end; 0 is at once.',
  ignoreStoreReadErrorWithClusterBreakingPotential: 'If true, an object that can\u2019t be read any more is deleted as it is.',
  orphanDependents: 'Deprecated: use propagationPolicy.',
  propagationPolicy: 'What becomes of dependents: Orphan, Background or Foreground.',
  command: 'The command and its arguments, one parameter each.',
  container: 'Name of the container.',
  stdin: 'Whether standard input is connected.',
  stdout: 'Whether standard output is connected.',
  stderr: 'Whether standard error is connected.',
  tty: 'Whether there is a terminal.',
  ports: 'Ports to forward.',
  path: 'Path below what is asked.',
  follow: 'If true, new lines are sent as they come.',
  insecureSkipTLSVerifyBackend: 'If true, the certificate of the kubelet is not checked.',
  limitBytes: 'The most bytes of the answer.',
  previous: 'If true, the log of the container before its last restart.',
  sinceSeconds: 'Only what is not older than so many seconds.',
  stream: 'Which streams: All, Stdout or Stderr.',
  tailLines: 'Only so many lines from the end.',
  timestamps: 'If true, lines begin with their time.',
};

export const describeParameter = (p: Parameter): string | undefined => parameters[p.name];

const actions: Readonly<Record<NonNullable<Operation['action']>, string>> = {
  list: 'Lists or watches objects of kind',
  get: 'Reads an object of kind',
  post: 'Creates an object of kind',
  put: 'Replaces an object of kind',
  patch: 'Changes some fields of an object of kind',
  delete: 'Deletes an object of kind',
  deletecollection: 'Deletes those that are chosen of kind',
  watch: 'Watches an object of kind (deprecated: use the watch parameter of a list with a field selector)',
  watchlist: 'Watches objects of kind (deprecated: use the watch parameter of a list)',
  connect: 'Connects to what is behind an object of kind',
};

export const describeOperation = (o: Operation): string | undefined =>
  o.action === undefined || o.kind === undefined ? undefined : `${actions[o.action]} ${o.kind.kind}`;
