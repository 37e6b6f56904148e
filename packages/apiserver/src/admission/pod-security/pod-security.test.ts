import { deployment, namespace, pod, type Namespace, type Pod } from '@skiff/api';
import type { JsonObject, ObjectMeta, ResourceDefinition } from '@skiff/apimachinery';
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import type { AdmissionRequest } from '../../contract.ts';
import { FakeObjects } from '../../object-access.fake.ts';
import { detailsOf, violationsOf } from './evaluate.ts';
import { existingPodWarnings } from './existing-pods.ts';
import { policyOf, privilegedPolicy, textOf } from './policy.ts';
import { type PodSecurityConfig, podSecurity, standardPodSecurity } from './pod-security.ts';
import { checkedPolicies, fixturePods } from './pods.fixture.ts';
import type { PodSpec } from './check.ts';

/** By pod, what an upstream apiserver (1.36.2) says, and at which levels and versions. See scripts/compare/pod-security.ts. */
const recorded = JSON.parse(readFileSync(new URL('recorded.json', import.meta.url), 'utf8')) as Record<string, Record<string, string[]>>;

describe('pods, as upstream judges them', () => {
  it.each(Object.entries(fixturePods))('%s', (title, { annotations, spec }) => {
    const said: Record<string, string[]> = {};
    for (const text of checkedPolicies) {
      const [level = '', version = ''] = text.split(':');
      const { policy } = policyOf(
        { 'pod-security.kubernetes.io/enforce': level, 'pod-security.kubernetes.io/enforce-version': version },
        privilegedPolicy,
      );
      const meta: ObjectMeta = annotations === undefined ? {} : { annotations };
      (said[detailsOf(violationsOf(policy.enforce, meta, spec as unknown as PodSpec))] ??= []).push(text);
    }
    expect(said).toEqual(recorded[title]);
  });
});

describe('labels of a namespace', () => {
  const asked = (labels: Record<string, string>): string => {
    const of = Object.fromEntries(Object.entries(labels).map(([key, value]) => [`pod-security.kubernetes.io/${key}`, value]));
    const { policy, bad } = policyOf(of, privilegedPolicy);
    return [textOf(policy.enforce), textOf(policy.audit), textOf(policy.warn), ...bad.map((b) => b.message)].join(' ');
  };
  it.each([
    [{}, 'privileged:latest privileged:latest privileged:latest'],
    [{ enforce: 'baseline', 'enforce-version': 'v1.30' }, 'baseline:v1.30 privileged:latest baseline:v1.30'],
    [{ enforce: 'baseline', 'warn-version': 'v1.20' }, 'baseline:latest privileged:latest baseline:v1.20'],
    [{ enforce: 'restricted', warn: 'baseline' }, 'restricted:latest privileged:latest baseline:latest'],
    [
      { enforce: 'x', warn: 'y', audit: 'z' },
      `restricted:latest privileged:latest privileged:latest ${Array(3).fill('must be one of privileged, baseline, restricted').join(' ')}`,
    ],
    [{ audit: 'baseline', 'audit-version': 'v01.2' }, 'privileged:latest baseline:latest privileged:latest must be "latest" or "v1.x"'],
  ])('%j', (labels, expected) => expect(asked(labels)).toBe(expected));
});

function world(config: PodSecurityConfig = standardPodSecurity) {
  const objects = new FakeObjects();
  const label = (level: string): Record<string, string> => ({ 'pod-security.kubernetes.io/enforce': level });
  objects.put<Namespace>(namespace, { metadata: { name: 'lax' } });
  objects.put<Namespace>(namespace, { metadata: { name: 'strict', labels: label('baseline') } });
  const plugin = podSecurity(objects, config);
  const admit = async (definition: unknown, object: unknown, more: Partial<AdmissionRequest> = {}): Promise<string[]> => {
    const notes: string[] = [];
    const request: AdmissionRequest = {
      operation: 'CREATE',
      definition: definition as ResourceDefinition,
      subresource: '',
      namespace: 'strict',
      name: '',
      object: object as JsonObject,
      oldObject: null,
      options: {},
      dryRun: false,
      user: { name: 'bob', groups: [] },
      warnings: [],
      audit: { annotate: (key, value) => void notes.push(`${key.replace('pod-security.kubernetes.io/', '')}: ${value}`) },
      memo: new Map(),
      ...more,
    };
    if (plugin.handles(request)) await plugin.validate?.(request, new AbortController());
    return [...request.warnings, ...notes];
  };
  return { objects, admit, label };
}
const hostile = { hostPID: true, containers: [{ name: 'c', image: 'i' }] };
const podOf = (spec: object, name = 'p', more: object = {}): Pod => ({ metadata: { name, namespace: 'strict', ...more }, spec }) as Pod;

describe('PodSecurity', () => {
  it('refuses pods, warns of templates, and notes both for the audit', async () => {
    const { admit } = world();
    const refused = 'pods "p" is forbidden: violates PodSecurity "baseline:latest": host namespaces (hostPID=true)';
    await expect(admit(pod, podOf(hostile))).rejects.toThrow(refused);
    expect(await admit(deployment, { metadata: { name: 'd' }, spec: { template: { spec: hostile } } })).toEqual([
      'would violate PodSecurity "baseline:latest": host namespaces (hostPID=true)',
    ]);
    expect(await admit(pod, podOf(hostile), { namespace: 'lax' })).toEqual(['enforce-policy: privileged:latest']);
    expect(await admit(pod, podOf({ containers: [] }))).toEqual(['enforce-policy: baseline:latest']);
  });

  it('looks at updates that bring containers, and no others', async () => {
    const { admit } = world();
    const update = { operation: 'UPDATE' as const, oldObject: podOf(hostile) as unknown as JsonObject };
    expect(await admit(pod, podOf(hostile, 'p', { labels: { a: 'b' } }), update)).toEqual([]);
    const image = podOf({ ...hostile, containers: [{ name: 'c', image: 'j' }] });
    await expect(admit(pod, image, update)).rejects.toThrow('violates PodSecurity');
    const debug = podOf({ ...hostile, ephemeralContainers: [{ name: 'd', image: 'i' }] });
    await expect(admit(pod, debug, { ...update, subresource: 'ephemeralcontainers' })).rejects.toThrow('violates PodSecurity');
    expect(await admit(pod, image, { ...update, subresource: 'status' })).toEqual([]);
  });

  it('exempts users, namespaces and runtime classes', async () => {
    const exempt = { exemptUsers: ['root'], exemptNamespaces: ['strict'], exemptRuntimeClasses: ['vm'] };
    const { admit, label } = world({ ...standardPodSecurity, ...exempt });
    expect(await admit(pod, podOf(hostile))).toEqual(['exempt: namespace']);
    const relabelled = { metadata: { name: 'strict', labels: label('restricted') } };
    const old = { metadata: { name: 'strict' } } as JsonObject;
    expect(await admit(namespace, relabelled, { operation: 'UPDATE', oldObject: old })).toEqual([
      'namespace "strict" is exempt from Pod Security, and the policy (enforce=restricted:latest) will be ignored',
    ]);
    const others = world({ ...standardPodSecurity, ...exempt, exemptNamespaces: [] });
    expect(await others.admit(pod, podOf(hostile), { user: { name: 'root', groups: [] } })).toEqual(['exempt: user']);
    expect(await others.admit(pod, podOf({ ...hostile, runtimeClassName: 'vm' }))).toEqual(['exempt: runtimeClass']);
  });

  it('tells who makes a namespace stricter which pods would not be let in', async () => {
    const { objects, admit, label } = world();
    for (const name of ['b', 'a', 'c']) objects.put<Pod>(pod, podOf(hostile, name));
    objects.put<Pod>(pod, podOf({ ...hostile, hostIPC: true, containers: [{ name: 'c', securityContext: { privileged: true } }] }, 'd'));
    const old = { metadata: { name: 'strict' } } as JsonObject;
    const relabel = (level: string, o: JsonObject = old): Promise<string[]> =>
      admit(namespace, { metadata: { name: 'strict', labels: label(level) } }, { operation: 'UPDATE', oldObject: o });
    expect(await relabel('baseline')).toEqual([
      'existing pods in namespace "strict" violate the new PodSecurity enforce level "baseline:latest"',
      'a (and 2 other pods): host namespaces',
      'd: host namespaces, privileged',
    ]);
    expect(await relabel('baseline', { metadata: { name: 'strict', labels: label('restricted') } })).toEqual([]);
    await expect(relabel('none')).rejects.toThrow(
      'Namespace "strict" is invalid: metadata.labels[pod-security.kubernetes.io/enforce]: Invalid value: "none": must be one of privileged, baseline, restricted',
    );
  });

  it('stops looking at pods when it takes too long', () => {
    let now = 0;
    const pods = ['a', 'b', 'c'].map((name) => podOf(hostile, name));
    expect(existingPodWarnings('n', { level: 'baseline', minor: Infinity }, pods, () => (now += 30))).toEqual([
      'new PodSecurity enforce level only checked against the first 2 of 3 existing pods',
      'existing pods in namespace "n" violate the new PodSecurity enforce level "baseline:latest"',
      'a (and 1 other pod): host namespaces',
    ]);
  });
});
