import { createTypedCodec, parseJson, withResourceVersion } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import { type ConfigMap, type Deployment, type Pod, builtinSchemas } from './generated/index.ts';

const deployments = createTypedCodec<Deployment>(builtinSchemas, 'io.k8s.api.apps.v1.Deployment');
const configMaps = createTypedCodec<ConfigMap>(builtinSchemas, 'io.k8s.api.core.v1.ConfigMap');
const pods = createTypedCodec<Pod>(builtinSchemas, 'io.k8s.api.core.v1.Pod');
const decode = (text: string) => deployments.decode(parseJson(text));

describe('type errors, in the words of Go', () => {
  const container = (c: string): string => `{"spec":{"template":{"spec":{"containers":[${c}]}}}}`;
  it.each([
    ['{"spec":{"replicas":"3"}}', 'json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32'],
    [
      '{"spec":{"replicas":true,"strategy":{"type":1}}}',
      'json: cannot unmarshal bool into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    ['{"spec":{"replicas":3.5}}', 'json: cannot unmarshal number 3.5 into Go struct field DeploymentSpec.spec.replicas of type int32'],
    [
      '{"spec":{"replicas":99999999999}}',
      'json: cannot unmarshal number 99999999999 into Go struct field DeploymentSpec.spec.replicas of type int32',
    ],
    [
      '{"spec":{"strategy":{"type":1}}}',
      'json: cannot unmarshal number into Go struct field DeploymentStrategy.spec.strategy.type of type v1.DeploymentStrategyType',
    ],
    ['{"metadata":{"labels":{"a":1}}}', 'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string'],
    [
      '{"metadata":{"labels":["a"]},"spec":[]}',
      'json: cannot unmarshal array into Go struct field ObjectMeta.metadata.labels of type map[string]string',
    ],
    [
      '{"metadata":{"ownerReferences":[{"uid":5}]}}',
      'json: cannot unmarshal number into Go struct field OwnerReference.metadata.ownerReferences.uid of type types.UID',
    ],
    [
      '{"metadata":{"creationTimestamp":5}}',
      'json: cannot unmarshal number into Go struct field ObjectMeta.metadata.creationTimestamp of type string',
    ],
    ['{"metadata":{"creationTimestamp":"x"}}', 'parsing time "x" as "2006-01-02T15:04:05Z07:00": cannot parse "x" as "2006"'],
    [
      '{"spec":{"template":{"spec":{"containers":{}}}}}',
      'json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container',
    ],
    [container('"a",1'), 'json: cannot unmarshal string into Go struct field PodSpec.spec.template.spec.containers of type v1.Container'],
    // A type with a decoder of its own stops at once, before errors that were met earlier are reported.
    [
      container('{"name":1,"livenessProbe":{"httpGet":{"port":true}}}'),
      'json: cannot unmarshal bool into Go struct field HTTPGetAction.spec.template.spec.containers.livenessProbe.ProbeHandler.httpGet.port of type int32',
    ],
    [
      container('{"resources":{"limits":{"cpu":"abc"}}}'),
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    ['[]', 'json: cannot unmarshal array into Go value of type v1.Deployment'],
  ])('%s', (text, message) => {
    expect(() => decode(text)).toThrow(message);
  });
});

describe('strict errors', () => {
  it('lists unknown and duplicate fields in the order of the text', () => {
    const text = `{"metadata":{"name":"a","name":"b","foo":1},"spec":{"replicas":1,"replicas":2,"bar":{"x":1},"bar":2,"template":{"spec":{"foo":[1],
      "containers":[{"name":"x","name":"z","zzz":1},{"name":"x","zzz":1}],"nodeSelector":{"a":"b","a":"c"}}}}}`;
    expect(decode(text).strictErrors).toEqual([
      'duplicate field "metadata.name"',
      'unknown field "metadata.foo"',
      'duplicate field "spec.replicas"',
      'unknown field "spec.bar"',
      'unknown field "spec.template.spec.foo"',
      'duplicate field "spec.template.spec.containers[0].name"',
      'unknown field "spec.template.spec.containers[0].zzz"',
      'unknown field "spec.template.spec.containers[1].zzz"',
      'duplicate field "spec.template.spec.nodeSelector.a"',
    ]);
  });
  it('is case-sensitive and drops what it does not know', () => {
    const { object, strictErrors } = decode('{"Metadata":{"name":"a"},"__proto__":{"x":1},"spec":{"x":1}}');
    expect(strictErrors).toEqual(['unknown field "Metadata"', 'unknown field "__proto__"', 'unknown field "spec.x"']);
    expect(object.metadata).toEqual({});
  });
});

describe('canonical form', () => {
  it('is what JSON.parse makes of the canonical bytes', () => {
    const { object } = pods.decode(
      parseJson(
        `{"spec":{"nodeName":"","hostNetwork":false,"automountServiceAccountToken":false,"volumes":[],"containers":[{"image":"i","name":"c",
          "resources":{"limits":{"memory":"1024Mi","cpu":0.5}},"ports":[{"containerPort":80,"hostPort":0}],"stdin":null}],"priority":0},
          "apiVersion":"v1","kind":"Pod","metadata":{"annotations":null,"labels":{"b":"<&>","a":null},"name":"p","creationTimestamp":"2024-01-01T02:00:00.5+02:00","resourceVersion":"5"}}`,
      ),
    );
    const encoded = pods.encode(object);
    expect(encoded.bytes.toString()).toBe(
      '{"kind":"Pod","apiVersion":"v1","metadata":{"name":"p","creationTimestamp":"2024-01-01T00:00:00Z","labels":{"a":"","b":"\\u003c\\u0026\\u003e"}},' +
        '"spec":{"containers":[{"name":"c","image":"i","ports":[{"containerPort":80}],"resources":{"limits":{"cpu":"500m","memory":"1Gi"}}}],' +
        '"automountServiceAccountToken":false,"priority":0},"status":{}}',
    );
    const { resourceVersion, ...metadata } = object.metadata!;
    expect(resourceVersion).toBe('5');
    expect({ ...object, metadata }).toEqual(JSON.parse(encoded.bytes.toString()));
  });

  it('records the borders, in bytes', () => {
    const { object } = configMaps.decode(
      parseJson('{"kind":"ConfigMap","apiVersion":"v1","metadata":{"name":"ü","labels":{"x":"y"}},"data":{"k":"ß"}}'),
    );
    const e = configMaps.encode(object);
    const cut = (from: number, to?: number): string => e.bytes.subarray(from, to).toString();
    expect(cut(0, e.typeMetaEnd)).toBe('{"kind":"ConfigMap","apiVersion":"v1",');
    expect(cut(e.metadataStart, e.metadataEnd)).toBe('"metadata":{"name":"ü","labels":{"x":"y"}}');
    expect(cut(e.metadataEnd)).toBe(',"data":{"k":"ß"}}');
    expect(withResourceVersion(e, '7').toString()).toContain('{"name":"ü","resourceVersion":"7","labels"');
  });

  it.each([
    ['io.k8s.api.rbac.v1.ClusterRole', '{}', '{"metadata":{},"rules":null}'],
    ['io.k8s.api.rbac.v1.ClusterRole', '{"rules":[]}', '{"metadata":{},"rules":null}'],
    [
      'io.k8s.api.core.v1.Event',
      '{}',
      '{"metadata":{},"involvedObject":{},"source":{},"firstTimestamp":null,"lastTimestamp":null,"eventTime":null,"reportingComponent":"","reportingInstance":""}',
    ],
    [
      'io.k8s.api.policy.v1.PodDisruptionBudget',
      '{}',
      '{"metadata":{},"spec":{},"status":{"disruptionsAllowed":0,"currentHealthy":0,"desiredHealthy":0,"expectedPods":0}}',
    ],
    ['io.k8s.api.core.v1.Secret', '{"data":{"a":"YQ=\\n=","b":null}}', '{"metadata":{},"data":{"a":"YQ==","b":""}}'],
    [
      'io.k8s.api.apps.v1.ControllerRevision',
      '{"data":{"b":1,"a":{"z":null}}}',
      '{"metadata":{},"data":{"b":1,"a":{"z":null}},"revision":0}',
    ],
    [
      'io.k8s.api.core.v1.Service',
      '{"spec":{"ports":[{"port":80}]}}',
      '{"metadata":{},"spec":{"ports":[{"port":80,"targetPort":0}]},"status":{"loadBalancer":{}}}',
    ],
    [
      'io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps',
      '{"type":"object","properties":{"b":{"items":{"type":"string"}},"a":{"additionalProperties":true,"default":{"y":1,"x":2}}}}',
      '{"type":"object","properties":{"a":{"default":{"y":1,"x":2},"additionalProperties":true},"b":{"items":{"type":"string"}}}}',
    ],
  ])('%s %s', (name, text, canonical) => {
    const codec = createTypedCodec<ConfigMap>(builtinSchemas, name);
    expect(codec.encode(codec.decode(parseJson(text)).object).bytes.toString()).toBe(canonical);
  });

  it('applies default markers', () => {
    const { object } = pods.decode(parseJson('{"spec":{"containers":[{"name":"c","ports":[{"containerPort":1}]}]}}'));
    pods.applyDefaults(object);
    expect(object.spec?.containers[0]?.ports).toEqual([{ containerPort: 1, protocol: 'TCP' }]);
  });

  it('keeps int64 exact', () => {
    const { object } = pods.decode(parseJson('{"spec":{"containers":[],"activeDeadlineSeconds":9007199254740993}}'));
    expect(pods.encode(object).bytes.toString()).toContain('"activeDeadlineSeconds":9007199254740993');
  });
});
