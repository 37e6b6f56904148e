import { afterAll, beforeAll, expect, it } from 'vitest';
import { createRegistry } from '../src/registry/registry.ts';
import { startTestServer, type TestServer } from './test-server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await startTestServer(createRegistry);
});
afterAll(async () => {
  await server[Symbol.asyncDispose]();
});

/** Labels of upstream's metrics that are stable or beta, in the order of their names. */
const expected: Readonly<Record<string, string>> = {
  apiserver_admission_controller_admission_duration_seconds: 'name,operation,rejected,type',
  apiserver_admission_step_admission_duration_seconds: 'operation,rejected,type',
  apiserver_current_inflight_requests: 'request_kind',
  apiserver_flowcontrol_current_executing_requests: 'flow_schema,priority_level',
  apiserver_flowcontrol_current_executing_seats: 'flow_schema,priority_level',
  apiserver_flowcontrol_current_inqueue_requests: 'flow_schema,priority_level',
  apiserver_flowcontrol_dispatched_requests_total: 'flow_schema,priority_level',
  apiserver_flowcontrol_nominal_limit_seats: 'priority_level',
  apiserver_flowcontrol_request_wait_duration_seconds: 'execute,flow_schema,priority_level',
  apiserver_longrunning_requests: 'component,group,resource,scope,subresource,verb,version',
  apiserver_request_duration_seconds: 'component,dry_run,group,resource,scope,subresource,verb,version',
  apiserver_request_total: 'code,component,dry_run,group,resource,scope,subresource,verb,version',
  apiserver_requested_deprecated_apis: 'group,removed_release,resource,subresource,version',
  apiserver_response_sizes: 'component,group,resource,scope,subresource,verb,version',
  apiserver_storage_events_received_total: 'group,resource',
  apiserver_storage_objects: 'resource',
  apiserver_validating_admission_policy_check_duration_seconds: 'enforcement_action,error_type,policy,policy_binding',
  apiserver_validating_admission_policy_check_total: 'enforcement_action,error_type,policy,policy_binding',
  kubernetes_build_info: 'build_date,compiler,git_commit,git_tree_state,git_version,go_version,major,minor,platform',
};

const labelNames = (line: string): string =>
  [...line.matchAll(/([a-z_]+)="/g)]
    .map((m) => m[1] ?? '')
    .filter((name) => name !== 'le')
    .sort((a, b) => (a < b ? -1 : 1))
    .join();

it('has the names and labels that dashboards ask for', async () => {
  const session = server.session();
  const watch = session.request({ ':path': '/api/v1/configmaps?watch=1' });
  watch.on('error', () => undefined);
  await new Promise((resolve) => watch.once('response', resolve));
  const post = (path: string, body: object): Promise<{ code: number; text: string }> =>
    server.fetch(path, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(body) });
  const rules = [{ apiGroups: [''], apiVersions: ['v1'], operations: ['CREATE'], resources: ['configmaps'] }];
  const validations = [{ expression: "object.metadata.name != 'bad'" }];
  const group = '/apis/admissionregistration.k8s.io/v1';
  await post(`${group}/validatingadmissionpolicies`, {
    metadata: { name: 'names' },
    spec: { matchConstraints: { resourceRules: rules }, validations },
  });
  await post(`${group}/validatingadmissionpolicybindings`, {
    metadata: { name: 'everywhere' },
    spec: { policyName: 'names', validationActions: ['Deny', 'Audit'] },
  });
  const maps = '/api/v1/namespaces/default/configmaps';
  await expect.poll(async () => (await post(`${maps}?dryRun=All`, { metadata: { name: 'bad' } })).code).toBe(422);
  await post(`${maps}?dryRun=All`, { metadata: { name: 'good' } });
  const made = { method: 'POST', headers: { 'content-type': 'application/json' }, body: '{"metadata":{"name":"x"}}' };
  expect((await server.fetch('/api/v1/namespaces', made)).code).toBe(201);
  await server.fetch('/api/v1/namespaces/default/endpoints');
  await server.fetch('/api/v1/namespaces/default', {
    headers: { 'impersonate-user': 'system:kube-scheduler', 'impersonate-group': 'system:masters-not' },
  });
  await server.fetch('/livez');
  // What an answer adds to them may come a moment after it.
  const read = async (): Promise<readonly string[]> => (await server.fetch('/metrics')).text.split('\n');
  const found = async (): Promise<unknown> => {
    const lines = await read();
    return Object.fromEntries(
      Object.keys(expected).map((name) => {
        const line = lines.find((l) => new RegExp(`^${name}(?:_count)?\\{`).test(l));
        return [name, line === undefined ? 'is not there' : labelNames(line)];
      }),
    );
  };
  await expect.poll(found).toEqual(expected);
  session.destroy();
  for (const line of [
    /^apiserver_storage_objects\{resource="namespaces"\} /,
    /^apiserver_request_total\{code="200",dry_run="",component="",.*subresource="\/livez",verb="GET"/,
  ])
    await expect.poll(read).toContainEqual(expect.stringMatching(line));
});

it('tells how health checks went', async () => {
  await server.fetch('/readyz');
  const text = (await server.fetch('/metrics/slis')).text;
  expect(text).toContain('kubernetes_healthcheck{name="etcd",type="readyz"} 1');
  expect(text).toMatch(/kubernetes_healthchecks_total\{name="etcd",status="success",type="readyz"\} \d+/);
});

it('makes no series of what clients invent', async () => {
  for (let i = 0; i < 50; i++) await server.fetch(`/nowhere/${i}`);
  for (let i = 0; i < 50; i++) await server.fetch(`/apis/group${i}.example.com/v1/things`);
  const text = (await server.fetch('/metrics')).text;
  expect(text).not.toContain('/nowhere/');
  expect(text).not.toContain('example.com');
});

it('says what validating admission policies did', async () => {
  const lines = (await server.fetch('/metrics')).text.split('\n');
  for (const action of ['allow', 'deny', 'audit'])
    expect(lines).toContainEqual(
      expect.stringMatching(
        new RegExp(
          `^apiserver_validating_admission_policy_check_total\\{enforcement_action="${action}",error_type="no_error",policy="names",policy_binding="everywhere"\\} [1-9]`,
        ),
      ),
    );
});

it('has pages for people', async () => {
  expect((await server.fetch('/statusz')).text).toMatch(
    /apiserver statusz\nWarning: [^]*\nUp {2}0 hr \d+ min [^]*\nPaths {2}.*\/flagz.*\/statusz/,
  );
  expect((await server.fetch('/flagz')).text).toContain('apiserver flagz');
});
