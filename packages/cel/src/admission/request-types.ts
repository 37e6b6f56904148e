import {
  boolType,
  type CelType,
  dynType,
  intType,
  listOf,
  mapOf,
  type ObjectType,
  objectType,
  stringType,
  timestampType,
} from '../types.ts';

const texts = (...names: readonly string[]): Record<string, CelType> => Object.fromEntries(names.map((n) => [n, stringType]));

const groupVersionKind = objectType('kubernetes.GroupVersionKind', texts('group', 'version', 'kind'));
const groupVersionResource = objectType('kubernetes.GroupVersionResource', texts('group', 'version', 'resource'));
const userInfo = objectType('kubernetes.UserInfo', {
  ...texts('username', 'uid'),
  groups: listOf(stringType),
  extra: mapOf(stringType, listOf(stringType)),
});

/** `request`: an AdmissionRequest without its objects. */
export const requestType: ObjectType = objectType('kubernetes.AdmissionRequest', {
  kind: groupVersionKind,
  resource: groupVersionResource,
  subResource: stringType,
  requestKind: groupVersionKind,
  requestResource: groupVersionResource,
  requestSubResource: stringType,
  name: stringType,
  namespace: stringType,
  operation: stringType,
  userInfo,
  dryRun: boolType,
  options: dynType,
});

/** `namespaceObject`: what of a Namespace is shown to expressions. */
export const namespaceType: ObjectType = objectType('kubernetes.Namespace', {
  metadata: objectType('kubernetes.NamespaceMetadata', {
    ...texts('name', 'generateName', 'namespace', 'UID', 'resourceVersion'),
    labels: mapOf(stringType, stringType),
    annotations: mapOf(stringType, stringType),
    creationTimestamp: timestampType,
    deletionTimestamp: timestampType,
    deletionGracePeriodSeconds: intType,
    generation: intType,
    finalizers: listOf(stringType),
  }),
  spec: objectType('kubernetes.NamespaceSpec', { finalizers: listOf(stringType) }),
  status: objectType('kubernetes.NamespaceStatus', {
    conditions: listOf(
      objectType('kubernetes.NamespaceCondition', {
        ...texts('status', 'type', 'message', 'reason'),
        lastTransitionTime: timestampType,
      }),
    ),
    phase: stringType,
  }),
});
