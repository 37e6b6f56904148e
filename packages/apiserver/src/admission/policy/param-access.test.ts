import {
  type MutatingAdmissionPolicyBinding,
  mutatingAdmissionPolicyBinding,
  validatingAdmissionPolicy,
  validatingAdmissionPolicyBinding,
} from '@skiff/api';
import type { JsonObject, ResourceDefinition } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import { PolicyWorld } from './policy.fixture.ts';

const bob = '&{bob  [g] map[]}';
const policy = { kind: 'ValidatingAdmissionPolicy', metadata: { name: 'p' }, spec: { paramKind: { apiVersion: 'v1', kind: 'Secret' } } };
const binding = (spec: object): object => ({ metadata: { name: 'b' }, spec: { policyName: 'p', ...spec } });

const refusal = (field: string, why: string): object => ({
  reason: 'Invalid',
  details: { causes: [{ reason: 'FieldValueForbidden', field, message: `Forbidden: ${why}` }] },
});

describe('parameters', () => {
  const on = (d: unknown): { definition: ResourceDefinition; namespace: string } => ({
    definition: d as ResourceDefinition,
    namespace: '',
  });

  it('are of kinds that the writer of a policy may read', async () => {
    const world = new PolicyWorld();
    await world.admit(policy, on(validatingAdmissionPolicy));
    world.refused.add('get secrets');
    const why = `user ${bob} must have "get" permission on all objects of the referenced paramKind (kind=Secret, apiVersion=v1)`;
    await expect(world.admit(policy, on(validatingAdmissionPolicy))).rejects.toMatchObject(refusal('spec.paramKind', why));
    // Who changes something else need not read them; nor need a superuser.
    const oldObject = policy as unknown as JsonObject;
    await world.admit(policy, { ...on(validatingAdmissionPolicy), operation: 'UPDATE', oldObject });
    await world.admit(policy, { ...on(validatingAdmissionPolicy), user: { name: 'root', groups: ['system:masters'] } });
  });

  it.each([
    [{ paramRef: { name: 'x', parameterNotFoundAction: 'Deny' } }, 'get'],
    [{ paramRef: { selector: {}, parameterNotFoundAction: 'Deny' } }, 'list'],
  ])('are what the writer of a binding may read: %j', async (spec, verb) => {
    const world = new PolicyWorld();
    world.validating('p', { paramKind: { apiVersion: 'v1', kind: 'Secret' }, validations: [{ expression: 'true' }] });
    await world.admit(binding(spec), on(validatingAdmissionPolicyBinding));
    world.refused.add(`${verb} secrets`);
    await expect(world.admit(binding(spec), on(validatingAdmissionPolicyBinding))).rejects.toMatchObject(
      refusal('spec.paramRef', `user ${bob} does not have "${verb}" permission on the object referenced by paramRef`),
    );
  });

  it('of a policy that is not there might be anything', async () => {
    const world = new PolicyWorld();
    world.refused.add('get *');
    const spec = { paramRef: { name: 'x', parameterNotFoundAction: 'Deny' } };
    const asked: MutatingAdmissionPolicyBinding = binding(spec);
    const why = `unable to get policy p to determine minimum required permissions and user ${bob} does not have "get" permission for all groups, versions and resources`;
    await expect(world.admit(asked, on(mutatingAdmissionPolicyBinding))).rejects.toMatchObject(refusal('spec.paramRef', why));
  });
});
