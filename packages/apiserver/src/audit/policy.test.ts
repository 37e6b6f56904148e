import { describe, expect, it } from 'vitest';
import { parseRequestInfo } from '../request/request-info.ts';
import { parseAuditPolicy } from './policy.ts';

const policy = (rules: string, more = ''): ReturnType<typeof parseAuditPolicy> =>
  parseAuditPolicy(`apiVersion: audit.k8s.io/v1\nkind: Policy\n${more}\nrules:\n${rules}`);
const ask = (p: ReturnType<typeof parseAuditPolicy>, method: string, path: string, user = { name: 'alice', groups: ['devs'] }) =>
  p(parseRequestInfo(method, path, new URLSearchParams()), user);

describe('audit policy', () => {
  it.each([
    ['- {level: Request, users: [alice]}', 'GET', '/api', 'Request'],
    ['- {level: Request, users: [bob]}', 'GET', '/api', 'None'],
    ['- {level: Request, userGroups: [x, devs]}', 'GET', '/api', 'Request'],
    ['- {level: Request, verbs: [list]}', 'GET', '/api/v1/pods', 'Request'],
    ['- {level: Request, verbs: [get]}', 'GET', '/api/v1/pods', 'None'],
    ['- {level: Request, resources: [{group: "", resources: [pods]}]}', 'GET', '/api/v1/namespaces/a/pods/x', 'Request'],
    ['- {level: Request, resources: [{group: "", resources: [pods]}]}', 'GET', '/api/v1/namespaces/a/pods/x/log', 'None'],
    ['- {level: Request, resources: [{group: "", resources: ["pods/*"]}]}', 'GET', '/api/v1/namespaces/a/pods/x/log', 'Request'],
    ['- {level: Request, resources: [{group: "*", resources: ["*/log"]}]}', 'GET', '/api/v1/namespaces/a/pods/x/log', 'Request'],
    ['- {level: Request, resources: [{group: "*", resources: ["*"]}]}', 'GET', '/api/v1/namespaces/a/pods/x/log', 'Request'],
    ['- {level: Request, resources: [{group: apps}]}', 'GET', '/api/v1/pods', 'None'],
    ['- {level: Request, resources: [{resources: [pods], resourceNames: [other]}]}', 'GET', '/api/v1/namespaces/a/pods/x', 'None'],
    ['- {level: Request, namespaces: [a]}', 'GET', '/api/v1/namespaces/a/pods/x', 'Request'],
    ['- {level: Request, namespaces: [""]}', 'GET', '/api/v1/nodes', 'Request'],
    ['- {level: Request, namespaces: [""]}', 'GET', '/healthz', 'None'],
    ['- {level: Request, nonResourceURLs: ["/healthz*"]}', 'GET', '/healthz/etcd', 'Request'],
    ['- {level: Request, nonResourceURLs: ["/healthz"]}', 'GET', '/healthz/etcd', 'None'],
    ['- {level: Request, nonResourceURLs: ["*"]}', 'GET', '/api/v1/nodes', 'None'],
  ])('%s on %s %s: %s', (rule, method, path, level) => {
    expect(ask(policy(rule), method, path).level).toBe(level);
  });

  it('takes the first rule that fits, with the stages of policy and rule and its own managed fields', () => {
    const p = policy(
      '- {level: None, users: [bob]}\n- {level: Metadata, omitStages: [RequestReceived], omitManagedFields: false}\n- {level: Request}',
      'omitStages: [Panic]\nomitManagedFields: true',
    );
    expect(ask(p, 'GET', '/api', { name: 'bob', groups: [] }).level).toBe('None');
    expect(ask(p, 'GET', '/api')).toMatchObject({
      level: 'Metadata',
      omitManagedFields: false,
      omitStages: new Set(['Panic', 'RequestReceived']),
    });
  });

  it('knows no user before authentication', () => {
    const p = policy('- {level: Metadata, userGroups: [devs]}\n- {level: Request}');
    expect(p(parseRequestInfo('GET', '/api', new URLSearchParams()), undefined).level).toBe('Request');
  });

  it.each([
    ['- {level: Everything}', 'rules[0].level: Unsupported value: "Everything"'],
    ['- {}', 'rules[0].level: Required value'],
    ['- {level: None, nonResourceURLs: [healthz]}', "must begin with a '/' character"],
    ['- {level: None, nonResourceURLs: ["/a*b"]}', "wildcards '*' must be the final character"],
    ['- {level: None, nonResourceURLs: [/a], namespaces: [x]}', 'cannot apply to both'],
    ['- {level: None, resources: [{group: apps/v1}]}', 'Invalid value: "apps/v1"'],
    ['- {level: None, resources: [{resourceNames: [x]}]}', 'requires at least one resource'],
    ['- {level: None, omitStages: [Begin]}', 'allowed stages are RequestReceived'],
    ['- {level: None, user: [x]}', 'rules[0].user: unknown field'],
    ['  []', '0 rules'],
  ])('refuses %s', (rules, message) => {
    expect(() => policy(rules)).toThrow(message);
  });

  it('refuses other documents', () => {
    expect(() => parseAuditPolicy('kind: Policy\napiVersion: audit.k8s.io/v1beta1')).toThrow('unknown group version');
    expect(() => parseAuditPolicy('- 1')).toThrow('no mapping');
  });
});
