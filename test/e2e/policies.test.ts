import { afterAll, beforeAll, describe, expect, inject, it } from 'vitest';
import { connect, eventually, type RunningCluster } from './support/cluster.ts';

const ns = 'story-policies';
let cluster: RunningCluster;
beforeAll(async () => {
  cluster = connect(inject('place'));
  await cluster.kubectl(`create namespace ${ns}`);
  await cluster.kubectl(`label namespace ${ns} story=policies`);
});
afterAll(async () => {
  for (const name of ['story-replicas', 'story-team']) {
    await cluster.tryKubectl(
      `delete validatingadmissionpolicies,validatingadmissionpolicybindings,mutatingadmissionpolicies,mutatingadmissionpolicybindings ${name}`,
    );
  }
  await cluster.tryKubectl(`delete namespace ${ns} --wait=false`);
  cluster.client.close();
});

const api = 'apiVersion: admissionregistration.k8s.io/v1';
const about = (group: string, resource: string): string => `
  matchConstraints:
    namespaceSelector: {matchLabels: {story: policies}}
    resourceRules:
    - {apiGroups: ["${group}"], apiVersions: [v1], operations: [CREATE, UPDATE], resources: [${resource}]}`;

const limit = `
${api}
kind: ValidatingAdmissionPolicy
metadata: {name: story-replicas}
spec:
  paramKind: {apiVersion: v1, kind: ConfigMap}${about('apps', 'deployments')}
  variables:
  - {name: most, expression: int(params.data.most)}
  validations:
  - expression: object.spec.replicas <= variables.most
    messageExpression: "'no more than ' + string(variables.most) + ' replicas'"
---
${api}
kind: ValidatingAdmissionPolicyBinding
metadata: {name: story-replicas}
spec:
  policyName: story-replicas
  validationActions: [Deny]
  paramRef: {name: limits, parameterNotFoundAction: Deny}
`;
const team = `
${api}
kind: MutatingAdmissionPolicy
metadata: {name: story-team}
spec:${about('', 'configmaps')}
  reinvocationPolicy: Never
  matchConditions:
  - {name: has-no-team, expression: "!has(object.metadata.labels) || !('team' in object.metadata.labels)"}
  mutations:
  - patchType: ApplyConfiguration
    applyConfiguration:
      expression: 'Object{metadata: Object.metadata{labels: {"team": namespaceObject.metadata.labels.story}}}'
---
${api}
kind: MutatingAdmissionPolicyBinding
metadata: {name: story-team}
spec: {policyName: story-team}
`;

describe('policies', () => {
  it('refuse what an expression says no to, as their parameters have it', async () => {
    await cluster.kubectl(`create configmap limits -n ${ns} --from-literal=most=2`);
    await cluster.kubectl('apply -f -', { input: limit });
    const create = (replicas: number) =>
      cluster.tryKubectl(`create deployment web -n ${ns} --image=none --replicas=${replicas} --dry-run=server`);
    // Policy, binding and parameters are seen one after the other: the first refusals may name a parameter that is not there.
    const refusal = `deployments.apps "web" is forbidden: ValidatingAdmissionPolicy 'story-replicas' with binding 'story-replicas' denied request: no more than 2 replicas`;
    await eventually('the policy is in force', async () => {
      const { stderr } = await create(3);
      if (!stderr.includes(refusal)) throw new Error(`it said: ${stderr}`);
      return true;
    });
    expect((await create(2)).code).toBe(0);
    await cluster.kubectl(`patch configmap limits -n ${ns} -p {"data":{"most":"3"}}`);
    await eventually('the new limit is in force', async () => (await create(3)).code === 0);
    await eventually('its types are checked', async () =>
      (await cluster.kubectl('get validatingadmissionpolicy story-replicas -o jsonpath={.status}')).includes('"observedGeneration":1'),
    );
  });

  it('change what is written', async () => {
    await cluster.kubectl('apply -f -', { input: team });
    const labels = (): Promise<string> => cluster.kubectl(`create configmap c -n ${ns} --dry-run=server -o jsonpath={.metadata.labels}`);
    await eventually('the policy is in force', async () => (await labels()) === '{"team":"policies"}');
    await cluster.kubectl(`create configmap c -n ${ns}`);
    await cluster.kubectl(`label configmap c -n ${ns} team=mine --overwrite`);
    expect(await cluster.kubectl(`get configmap c -n ${ns} -o jsonpath={.metadata.labels}`)).toBe('{"team":"mine"}');
  });

  it('that make no sense are not taken', async () => {
    const bad = await cluster.tryKubectl('create -f -', { input: limit.replace('<= variables.most', '<= variables.nothing') });
    expect(bad.stderr).toContain(
      'spec.validations[0].expression: Invalid value: "object.spec.replicas <= variables.nothing": compilation failed',
    );
    expect(bad.stderr).toContain("undefined field 'nothing'");
  });
});
