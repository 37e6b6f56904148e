/** Which Go packages are read, and what their types are called in the API. */
export interface GoPackage {
  /** Import path, e.g. `k8s.io/api/core/v1`. */
  readonly path: string;
  /** Prefix of the OpenAPI model names, e.g. `io.k8s.api.core.v1`. */
  readonly model: string;
  /** API group of the package's kinds; undefined where its structs are no kinds of a served group. */
  readonly group?: string;
  readonly version: string;
  /** File name below types/, absent when no TypeScript types are made. */
  readonly types?: string;
}

const api = (group: string, folder: string, version: string): GoPackage => ({
  path: `k8s.io/api/${folder}/${version}`,
  model: `io.k8s.api.${folder}.${version}`,
  group,
  version,
  ...(/alpha|beta/.test(version) ? {} : { types: `${folder}-${version}` }),
});

/** In the order in which a type name that several groups use is given away: the first keeps the plain name. */
export const packages: readonly GoPackage[] = [
  {
    path: 'k8s.io/apimachinery/pkg/apis/meta/v1',
    model: 'io.k8s.apimachinery.pkg.apis.meta.v1',
    group: '',
    version: 'v1',
    types: 'meta-v1',
  },
  api('', 'core', 'v1'),
  api('apps', 'apps', 'v1'),
  api('batch', 'batch', 'v1'),
  api('autoscaling', 'autoscaling', 'v2'),
  api('autoscaling', 'autoscaling', 'v1'),
  api('policy', 'policy', 'v1'),
  api('networking.k8s.io', 'networking', 'v1'),
  api('discovery.k8s.io', 'discovery', 'v1'),
  api('events.k8s.io', 'events', 'v1'),
  api('storage.k8s.io', 'storage', 'v1'),
  api('scheduling.k8s.io', 'scheduling', 'v1'),
  api('coordination.k8s.io', 'coordination', 'v1'),
  api('rbac.authorization.k8s.io', 'rbac', 'v1'),
  api('certificates.k8s.io', 'certificates', 'v1'),
  api('authentication.k8s.io', 'authentication', 'v1'),
  api('authorization.k8s.io', 'authorization', 'v1'),
  api('admissionregistration.k8s.io', 'admissionregistration', 'v1'),
  {
    path: 'k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1',
    model: 'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1',
    group: 'apiextensions.k8s.io',
    version: 'v1',
    types: 'apiextensions-v1',
  },
  {
    path: 'k8s.io/kube-aggregator/pkg/apis/apiregistration/v1',
    model: 'io.k8s.kube-aggregator.pkg.apis.apiregistration.v1',
    group: 'apiregistration.k8s.io',
    version: 'v1',
    types: 'apiregistration-v1',
  },
  api('flowcontrol.apiserver.k8s.io', 'flowcontrol', 'v1'),
  api('node.k8s.io', 'node', 'v1'),
  api('resource.k8s.io', 'resource', 'v1'),
  api('admission.k8s.io', 'admission', 'v1'),
  api('apidiscovery.k8s.io', 'apidiscovery', 'v2'),
  { path: 'k8s.io/apimachinery/pkg/version', model: 'io.k8s.apimachinery.pkg.version', version: 'version', types: 'version' },
  api('admissionregistration.k8s.io', 'admissionregistration', 'v1beta1'),
  api('admissionregistration.k8s.io', 'admissionregistration', 'v1alpha1'),
  api('internal.apiserver.k8s.io', 'apiserverinternal', 'v1alpha1'),
  api('certificates.k8s.io', 'certificates', 'v1beta1'),
  api('certificates.k8s.io', 'certificates', 'v1alpha1'),
  api('coordination.k8s.io', 'coordination', 'v1beta1'),
  api('coordination.k8s.io', 'coordination', 'v1alpha2'),
  api('networking.k8s.io', 'networking', 'v1beta1'),
  api('resource.k8s.io', 'resource', 'v1beta2'),
  api('resource.k8s.io', 'resource', 'v1beta1'),
  api('resource.k8s.io', 'resource', 'v1alpha3'),
  api('scheduling.k8s.io', 'scheduling', 'v1alpha2'),
  api('storage.k8s.io', 'storage', 'v1beta1'),
  api('storagemigration.k8s.io', 'storagemigration', 'v1beta1'),
];

/** Structs of the packages above that are Go-only: never sent or stored as JSON. */
export const skipped: ReadonlySet<string> = new Set([
  'TypeMeta',
  'InternalEvent',
  'MicroTime',
  'Time',
  'Duration',
  'FieldsV1',
  'GroupKind',
  'GroupVersion',
  'Timestamp',
  'JSONSchemaPropsOrArray',
  'JSONSchemaPropsOrBool',
  'JSONSchemaPropsOrStringArray',
  'JSON',
]);

/** Kinds of meta/v1 that are not in the core group. */
export const metaKinds: Readonly<Record<string, string>> = {
  Table: 'meta.k8s.io',
  PartialObjectMetadata: 'meta.k8s.io',
  PartialObjectMetadataList: 'meta.k8s.io',
};

/** Go types with their own JSON form: model or qualified Go name → scalar. */
export const scalars: Readonly<Record<string, string>> = {
  'k8s.io/apimachinery/pkg/apis/meta/v1.Time': 'time',
  'k8s.io/apimachinery/pkg/apis/meta/v1.MicroTime': 'microTime',
  'k8s.io/apimachinery/pkg/apis/meta/v1.Duration': 'duration',
  'k8s.io/apimachinery/pkg/apis/meta/v1.FieldsV1': 'fieldsV1',
  'k8s.io/apimachinery/pkg/api/resource.Quantity': 'quantity',
  'k8s.io/apimachinery/pkg/util/intstr.IntOrString': 'intOrString',
  'k8s.io/apimachinery/pkg/runtime.RawExtension': 'raw',
  'k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSON': 'json',
  'k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrArray': 'schemaOrArray',
  'k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrBool': 'schemaOrBool',
  'k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1.JSONSchemaPropsOrStringArray': 'schemaOrStringArray',
};

/** Named types of packages that are not read: qualified Go name → underlying type. */
export const namedElsewhere: Readonly<Record<string, string>> = {
  'k8s.io/apimachinery/pkg/types.UID': 'string',
  'k8s.io/apimachinery/pkg/types.NodeName': 'string',
  'k8s.io/apimachinery/pkg/types.NamespacedName': 'string',
};
