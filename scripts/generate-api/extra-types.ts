/**
 * apiregistration.k8s.io/v1, which no Debian package carries: stated here by hand as facts
 * (name, Go type, JSON options, protobuf number, markers), in the notation of Go's struct tags.
 */
import type { GoField, GoSource, GoStruct, GoType } from './parse-go.ts';

type Row = readonly [goName: string, type: string, json: string, number: number | undefined, ...markers: string[]];

function struct(name: string, rows: readonly Row[]): GoStruct {
  const fields = rows.map(([goName, type, json, number, ...markers]): GoField => {
    const tags = new Map([['json', json]]);
    if (number !== undefined) tags.set('protobuf', `bytes,${number},opt`);
    for (const m of markers) {
      const [key, value] = m.split('=');
      if (key === 'patchStrategy' || key === 'patchMergeKey') tags.set(key, value!);
    }
    return { goName, type, tags, markers, embedded: goName === 'TypeMeta' || goName === 'ObjectMeta' || goName === 'ListMeta' };
  });
  return { kind: 'struct', name, fields, markers: [] };
}

const types: GoType[] = [
  struct('APIService', [
    ['TypeMeta', 'metav1.TypeMeta', ',inline', undefined],
    ['ObjectMeta', 'metav1.ObjectMeta', 'metadata,omitempty', 1, 'optional'],
    ['Spec', 'APIServiceSpec', 'spec,omitempty', 2],
    ['Status', 'APIServiceStatus', 'status,omitempty', 3],
  ]),
  struct('APIServiceList', [
    ['TypeMeta', 'metav1.TypeMeta', ',inline', undefined],
    ['ListMeta', 'metav1.ListMeta', 'metadata,omitempty', 1, 'optional'],
    ['Items', '[]APIService', 'items', 2],
  ]),
  struct('ServiceReference', [
    ['Namespace', 'string', 'namespace,omitempty', 1],
    ['Name', 'string', 'name,omitempty', 2],
    ['Port', '*int32', 'port,omitempty', 3, 'optional'],
  ]),
  struct('APIServiceSpec', [
    ['Service', '*ServiceReference', 'service,omitempty', 1],
    ['Group', 'string', 'group,omitempty', 2],
    ['Version', 'string', 'version,omitempty', 3],
    ['InsecureSkipTLSVerify', 'bool', 'insecureSkipTLSVerify,omitempty', 4],
    ['CABundle', '[]byte', 'caBundle,omitempty', 5, 'listType=atomic', 'optional'],
    ['GroupPriorityMinimum', 'int32', 'groupPriorityMinimum', 7],
    ['VersionPriority', 'int32', 'versionPriority', 8],
  ]),
  struct('APIServiceCondition', [
    ['Type', 'APIServiceConditionType', 'type', 1],
    ['Status', 'ConditionStatus', 'status', 2],
    ['LastTransitionTime', 'metav1.Time', 'lastTransitionTime,omitempty', 3, 'optional'],
    ['Reason', 'string', 'reason,omitempty', 4, 'optional'],
    ['Message', 'string', 'message,omitempty', 5, 'optional'],
  ]),
  struct('APIServiceStatus', [
    [
      'Conditions',
      '[]APIServiceCondition',
      'conditions,omitempty',
      1,
      'optional',
      'patchMergeKey=type',
      'patchStrategy=merge',
      'listType=map',
      'listMapKey=type',
    ],
  ]),
  { kind: 'named', name: 'APIServiceConditionType', type: 'string', markers: [] },
  { kind: 'named', name: 'ConditionStatus', type: 'string', markers: [] },
];

export const extraSources: ReadonlyMap<string, GoSource> = new Map([
  [
    'k8s.io/kube-aggregator/pkg/apis/apiregistration/v1',
    {
      imports: new Map([['metav1', 'k8s.io/apimachinery/pkg/apis/meta/v1']]),
      types: new Map(types.map((t) => [t.name, t])),
      constants: new Map(),
      constantValues: new Map(),
    },
  ],
]);
