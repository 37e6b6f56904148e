import { describe, expect, it } from 'vitest';
import { type AuthorizationAttributes, resourceAttributes } from './authorizer.ts';
import { ruleAllows, type Rule, uncoveredRules } from './policy-rule.ts';

const user = { name: 'u', groups: [] };
const on = (a: Partial<AuthorizationAttributes>): AuthorizationAttributes =>
  resourceAttributes(user, { verb: 'get', resource: 'pods', ...a });
const pods: Rule = { verbs: ['get', 'list'], apiGroups: [''], resources: ['pods', 'pods/log'] };

describe('ruleAllows', () => {
  const cases: [string, Rule, Partial<AuthorizationAttributes>, boolean][] = [
    ['the verb', pods, {}, true],
    ['another verb', pods, { verb: 'delete' }, false],
    ['another group', pods, { group: 'apps' }, false],
    ['a subresource that is named', pods, { subresource: 'log' }, true],
    ['a subresource that is not', pods, { subresource: 'exec' }, false],
    ['any subresource', { ...pods, resources: ['*/status'] }, { subresource: 'status' }, true],
    ['any subresource is no resource', { ...pods, resources: ['*/status'] }, {}, false],
    ['everything', { verbs: ['*'], apiGroups: ['*'], resources: ['*'] }, { verb: 'x', group: 'y', resource: 'z', subresource: 'w' }, true],
    ['a name', { ...pods, resourceNames: ['a'] }, { name: 'a' }, true],
    ['another name', { ...pods, resourceNames: ['a'] }, { name: 'b' }, false],
    ['no name', { ...pods, resourceNames: ['a'] }, { verb: 'list' }, false],
    ['no verbs', { ...pods, verbs: [] }, {}, false],
    ['a URL', { verbs: ['get'], nonResourceURLs: ['/api/*'] }, { isResourceRequest: false, path: '/api/v1' }, true],
    ['a URL above', { verbs: ['get'], nonResourceURLs: ['/api/*'] }, { isResourceRequest: false, path: '/api' }, false],
    ['a URL for a resource', { verbs: ['*'], nonResourceURLs: ['*'] }, {}, false],
  ];
  it.each(cases)('%s', (_name, rule, attributes, expected) => expect(ruleAllows(rule, on(attributes))).toBe(expected));
});

describe('uncoveredRules', () => {
  const cases: [string, Rule[], Rule[], number][] = [
    ['the same', [pods], [pods], 0],
    ['parts', [pods], [{ verbs: ['get'], apiGroups: [''], resources: ['pods'] }], 0],
    ['more verbs', [pods], [{ ...pods, verbs: ['get', 'delete'] }], 2],
    ['stars from parts', [pods], [{ ...pods, verbs: ['*'] }], 2],
    ['names from all', [pods], [{ ...pods, resourceNames: ['a'] }], 0],
    ['all from names', [{ ...pods, resourceNames: ['a'] }], [pods], 4],
    [
      'two owners together',
      [
        { ...pods, verbs: ['get'] },
        { ...pods, verbs: ['list'] },
      ],
      [pods],
      0,
    ],
    ['URLs', [{ verbs: ['get'], nonResourceURLs: ['/api/*'] }], [{ verbs: ['get'], nonResourceURLs: ['/api/v1', '/apis'] }], 1],
    [
      'everything from everything',
      [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
      [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }],
      0,
    ],
  ];
  it.each(cases)('%s', (_name, owned, wanted, missing) => expect(uncoveredRules(owned, wanted)).toHaveLength(missing));
});
