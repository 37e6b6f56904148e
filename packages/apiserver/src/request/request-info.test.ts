import { describe, expect, it } from 'vitest';
import { isLongRunning, parseRequestInfo, requiredFieldValue } from './request-info.ts';

const parse = (method: string, url: string) => {
  const u = new URL(url, 'https://x');
  return parseRequestInfo(method, u.pathname, u.searchParams);
};

describe('parseRequestInfo', () => {
  const cases: [string, string, Record<string, unknown>][] = [
    ['GET', '/api/v1/namespaces', { verb: 'list', resource: 'namespaces', namespace: '', name: '' }],
    ['GET', '/api/v1/namespaces/other', { verb: 'get', resource: 'namespaces', namespace: 'other', name: 'other' }],
    [
      'PUT',
      '/api/v1/namespaces/other/status',
      { verb: 'update', resource: 'namespaces', subresource: 'status', namespace: 'other', name: 'other' },
    ],
    ['PUT', '/api/v1/namespaces/other/finalize', { resource: 'namespaces', subresource: 'finalize', name: 'other' }],
    ['GET', '/api/v1/namespaces/other/pods', { verb: 'list', resource: 'pods', namespace: 'other', name: '' }],
    ['GET', '/api/v1/namespaces/other/pods/foo', { verb: 'get', resource: 'pods', namespace: 'other', name: 'foo' }],
    ['HEAD', '/api/v1/namespaces/other/pods/foo', { verb: 'get', resource: 'pods' }],
    ['GET', '/api/v1/namespaces/other/pods/foo/log', { subresource: 'log' }],
    ['GET', '/api/v1/pods?watch=true', { verb: 'watch', resource: 'pods' }],
    ['GET', '/api/v1/pods?watch=0', { verb: 'list', resource: 'pods' }],
    ['GET', '/api/v1/watch/namespaces/other/pods/foo', { verb: 'watch', resource: 'pods', namespace: 'other', name: 'foo' }],
    [
      'GET',
      '/api/v1/namespaces/o/services/x/proxy/a/b',
      { verb: 'get', resource: 'services', subresource: 'proxy', name: 'x', parts: ['services', 'x', 'proxy', 'a', 'b'] },
    ],
    [
      'POST',
      '/apis/apps/v1/namespaces/o/deployments',
      { verb: 'create', group: 'apps', version: 'v1', resource: 'deployments', namespace: 'o' },
    ],
    ['DELETE', '/apis/apps/v1/namespaces/o/deployments', { verb: 'deletecollection' }],
    ['DELETE', '/apis/apps/v1/namespaces/o/deployments/d', { verb: 'delete', name: 'd' }],
    ['PATCH', '/api/v1/nodes/n', { verb: 'patch', resource: 'nodes', name: 'n' }],
    ['GET', '/api/v1/secrets?fieldSelector=metadata.name%3Dfoo', { verb: 'list', name: 'foo', fieldSelector: 'metadata.name=foo' }],
    ['GET', '/api/v1/secrets?fieldSelector=metadata.name%3D..', { verb: 'list', name: '' }],
    ['GET', '/apis/apps/v1', { isResourceRequest: false, verb: 'get' }],
    ['GET', '/api', { isResourceRequest: false }],
    ['GET', '/healthz/ping', { isResourceRequest: false, path: '/healthz/ping' }],
    ['OPTIONS', '/api/v1/pods', { isResourceRequest: true, verb: '' }],
  ];
  it.each(cases)('%s %s', (method, url, expected) => expect(parse(method, url)).toMatchObject(expected));

  it('refuses a verb prefix without a resource', () => expect(() => parse('GET', '/api/v1/watch')).toThrow('unable to determine kind'));
});

describe('requiredFieldValue', () => {
  it('finds equality terms and unescapes', () => {
    expect(requiredFieldValue('a=b,metadata.name==x', 'metadata.name')).toBe('x');
    expect(requiredFieldValue('metadata.name!=x', 'metadata.name')).toBeUndefined();
    expect(requiredFieldValue('metadata.name=a\\,b', 'metadata.name')).toBe('a,b');
  });
});

describe('isLongRunning', () => {
  it('knows watches and connects', () => {
    expect(isLongRunning(parse('GET', '/api/v1/pods?watch=1'))).toBe(true);
    expect(isLongRunning(parse('POST', '/api/v1/namespaces/o/pods/x/exec'))).toBe(true);
    expect(isLongRunning(parse('GET', '/api/v1/pods'))).toBe(false);
  });
});
