import type { JsonObject } from '@skiff/apimachinery';
import { type GoldenCase, one } from './case.ts';

const definition = one('customResourceDefinition');
const apiService = one('apiService');
const claim = one('resourceClaim');
const template = one('resourceClaimTemplate');
const slice = one('resourceSlice');
const deviceClass = one('deviceClass');
const flowSchema = one('flowSchema');

const served = (spec: JsonObject, name = 'v1.a.example.com'): JsonObject => ({
  metadata: { name },
  spec: { group: 'a.example.com', version: 'v1', groupPriorityMinimum: 1, versionPriority: 1, ...spec },
});
const schema: JsonObject = { openAPIV3Schema: { type: 'object' } };
const crd = (name: string, spec: JsonObject = {}): JsonObject => ({
  metadata: { name },
  spec: {
    group: 'b.example.com',
    scope: 'Namespaced',
    names: { plural: 'things', kind: 'Thing' },
    versions: [{ name: 'v1', served: true, storage: true, schema }],
    ...spec,
  },
});
const request: JsonObject = { devices: { requests: [{ name: 'r', exactly: { deviceClassName: 'c' } }] } };
const devices: JsonObject = { driver: 'd.example.com', pool: { name: 'p', generation: 1, resourceSliceCount: 1 }, nodeName: 'n' };

export const extensionCases: readonly GoldenCase[] = [
  definition('plain', crd('things.b.example.com')),
  definition('other name', crd('other.b.example.com')),
  apiService('local', served({})),
  apiService('remote', served({ service: { namespace: 'n', name: 's' }, insecureSkipTLSVerify: true })),
  apiService('other name', served({}, 'v2.a.example.com')),
  apiService(
    'wrong',
    served(
      { version: 'V_', group: '', groupPriorityMinimum: 0, versionPriority: 1001, insecureSkipTLSVerify: true, caBundle: 'eA==' },
      'V_.',
    ),
  ),
  apiService('wrong service', served({ service: { namespace: '', name: '', port: 70_000 } })),
  claim('plain', { spec: request }),
  claim('bad name', { metadata: { name: 'A_' }, spec: request }),
  claim(
    'update',
    { spec: request },
    {
      change: {
        spec: { devices: { requests: [{ name: 'other', exactly: { deviceClassName: 'c', allocationMode: 'ExactCount', count: 1 } }] } },
      },
    },
  ),
  claim(
    'status is not for the main resource',
    { spec: request },
    { change: { status: { reservedFor: [{ resource: 'pods', name: 'p', uid: 'u' }] } } },
  ),
  template('plain', { spec: { spec: request } }),
  slice('plain', { spec: devices }),
  slice('update', { spec: devices }, { change: { spec: { driver: 'e.example.com', nodeName: 'm', pool: { name: 'q' } } } }),
  deviceClass('plain', { spec: {} }),
  flowSchema('bad name', { metadata: { name: 'A_' }, spec: { priorityLevelConfiguration: { name: 'exempt' } } }),
];
