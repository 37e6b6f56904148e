import { describe, expect, it } from 'vitest';
import { type AuthorizationAttributes, attributesOf } from '../authz/authorizer.ts';
import type { UserInfo } from '../contract.ts';
import { parseRequestInfo } from '../request/request-info.ts';
import type { Exchange } from '../server/exchange.ts';
import { impersonate } from './impersonation.ts';

const info = parseRequestInfo('GET', '/api/v1/namespaces/ns/pods', new URLSearchParams());

/** `grants`: `verb group/resource[/subresource] name` lines that are allowed; a name of * is any. */
async function as(headers: readonly [string, string][], grants: readonly string[], requestor: UserInfo = { name: 'alice', groups: [] }) {
  const asked: string[] = [];
  const x = {
    request: {
      headers: Object.fromEntries(headers.map(([name, value]) => [name.toLowerCase(), value])),
      rawHeaders: headers.flat(),
    },
  } as unknown as Exchange;
  const authorizer = {
    name: 'test',
    authorize: (a: AuthorizationAttributes) => {
      const line = `${a.verb} ${a.group}/${a.resource}${a.subresource === '' ? '' : `/${a.subresource}`} ${a.name}`.trimEnd();
      asked.push(line);
      return { decision: grants.includes(line) ? ('allow' as const) : ('no-opinion' as const), reason: '' };
    },
  };
  const outcome = await impersonate(x, attributesOf(requestor, info), authorizer).catch((e: Error) => e.message);
  return { outcome, asked, left: Object.keys(x.request.headers) };
}
const bob: [string, string] = ['Impersonate-User', 'bob'];
const account: UserInfo = { name: 'system:serviceaccount:ns:sa', groups: [], extra: { 'authentication.kubernetes.io/node-name': ['n1'] } };

describe('impersonation', () => {
  it('does nothing without headers, and wants a user with the others', async () => {
    expect((await as([], [])).outcome).toBeUndefined();
    for (const name of ['Impersonate-Group', 'Impersonate-Uid', 'Impersonate-Extra-Scopes'])
      expect((await as([[name, 'x']], [])).outcome).toContain('without impersonating a user name');
  });

  it('by the old right is for everything, and leaves no header behind', async () => {
    const headers: [string, string][] = [bob, ['Impersonate-Group', 'g'], ['Impersonate-Extra-Scopes', 'all'], ['Impersonate-Uid', '7']];
    const grants = [
      'impersonate /users bob',
      'impersonate /groups g',
      'impersonate authentication.k8s.io/uids 7',
      'impersonate authentication.k8s.io/userextras/scopes all',
    ];
    const { outcome, left } = await as(headers, grants);
    expect(outcome).toEqual({ user: { name: 'bob', groups: ['g', 'system:authenticated'], uid: '7', extra: { scopes: ['all'] } } });
    expect(left).toEqual([]);
    for (const missing of grants)
      expect(
        typeof (
          await as(
            headers,
            grants.filter((g) => g !== missing),
          )
        ).outcome,
      ).toBe('string');
  });

  it('by a constrained right needs the right to do it so', async () => {
    const may = ['impersonate:user-info authentication.k8s.io/users bob', 'impersonate-on:user-info:list /pods'];
    expect((await as([bob], may)).outcome).toEqual({
      user: { name: 'bob', groups: ['system:authenticated'] },
      constraint: 'impersonate:user-info',
    });
    expect((await as([bob], may.slice(0, 1))).outcome).toContain('cannot impersonate-on:user-info:list resource "pods"');
    expect((await as([bob], may.slice(1))).outcome).toContain('cannot impersonate:user-info resource "users"');
  });

  it('by a constrained right is never of system:masters, empty groups or odd extras', async () => {
    const may = [
      'impersonate:user-info authentication.k8s.io/users bob',
      'impersonate-on:user-info:list /pods',
      'impersonate:user-info authentication.k8s.io/groups system:masters',
      'impersonate:user-info authentication.k8s.io/groups',
    ];
    for (const group of ['system:masters', ''])
      expect((await as([bob, ['Impersonate-Group', group]], may)).outcome).toContain('is not allowed');
    expect((await as([bob, ['Impersonate-Extra-scopes', 'x']], may)).outcome).toContain('invalid key');
  });

  it('by a constrained right for users is not of nodes and ServiceAccounts, which have rights of their own', async () => {
    const all = ['impersonate-on:user-info:list /pods', 'impersonate:user-info authentication.k8s.io/users system:node:n1'];
    expect(typeof (await as([['Impersonate-User', 'system:node:n1']], all)).outcome).toBe('string');
    const node = ['impersonate-on:arbitrary-node:list /pods', 'impersonate:arbitrary-node authentication.k8s.io/nodes n1'];
    expect((await as([['Impersonate-User', 'system:node:n1']], node)).outcome).toEqual({
      user: { name: 'system:node:n1', groups: ['system:nodes', 'system:authenticated'] },
      constraint: 'impersonate:arbitrary-node',
    });
    const sa = ['impersonate-on:serviceaccount:list /pods', 'impersonate:serviceaccount authentication.k8s.io/serviceaccounts x'];
    expect((await as([['Impersonate-User', 'system:serviceaccount:ns:x']], sa)).outcome).toMatchObject({
      user: { groups: ['system:serviceaccounts', 'system:serviceaccounts:ns', 'system:authenticated'] },
    });
  });

  it('a pod may be its own node where it has the right, and no other', async () => {
    const may = ['impersonate-on:associated-node:list /pods', 'impersonate:associated-node authentication.k8s.io/nodes *'];
    expect((await as([['Impersonate-User', 'system:node:n1']], may, account)).outcome).toMatchObject({
      constraint: 'impersonate:associated-node',
    });
    expect(typeof (await as([['Impersonate-User', 'system:node:n2']], may, account)).outcome).toBe('string');
    expect(typeof (await as([['Impersonate-User', 'system:node:n1']], may, { ...account, name: 'mallory' })).outcome).toBe('string');
  });

  it('asks once for many groups before it asks for each', async () => {
    const groups: [string, string][] = ['a', 'b', 'c', 'd'].map((g) => ['Impersonate-Group', g]);
    const { asked } = await as(
      [bob, ...groups],
      [
        'impersonate-on:user-info:list /pods',
        'impersonate:user-info authentication.k8s.io/users bob',
        'impersonate:user-info authentication.k8s.io/groups *',
      ],
    );
    expect(asked).toHaveLength(3);
  });
});
