import { validatingAdmissionPolicy as policies, type ValidatingAdmissionPolicy } from '@skiff/api';
import { type DeepReadonly, hasReason, parseGroupVersion } from '@skiff/apimachinery';
import type { CelType } from '@skiff/cel';
import { type Client, defineController, primary } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { KnownTypes } from '../policy-status/known-types.ts';
import { kindName, matchedKinds } from '../policy-status/matched-kinds.ts';

const manager = 'validatingadmissionpolicy-status';

type Policy = DeepReadonly<ValidatingAdmissionPolicy>;

/** The expressions that are checked: validations and their messages. */
const expressionsOf = ({ spec }: Policy): { fieldRef: string; expression: string }[] =>
  (spec?.validations ?? []).flatMap(({ expression, messageExpression }, i) => [
    { fieldRef: `spec.validations[${i}].expression`, expression },
    ...(messageExpression ? [{ fieldRef: `spec.validations[${i}].messageExpression`, expression: messageExpression }] : []),
  ]);

async function warningsOf(policy: Policy, client: Client, signal: AbortSignal): Promise<{ fieldRef: string; warning: string }[]> {
  // Few clusters have policies: the expression language is loaded when there is one.
  const { typeWarnings, openApiType, structType, dynType } = await import('@skiff/cel');
  const known = new KnownTypes(client, { openApiType, structType }, signal);
  const kinds: { name: string; type: CelType }[] = [];
  for (const kind of await matchedKinds(policy, known)) {
    const type = await known.typeOf(kind);
    if (type !== undefined) kinds.push({ name: kindName(kind), type });
  }
  const param = policy.spec?.paramKind;
  const params = param && ((await known.typeOf({ ...parseGroupVersion(param.apiVersion ?? ''), kind: param.kind ?? '' })) ?? dynType);
  return typeWarnings({ expressions: expressionsOf(policy), variables: policy.spec?.variables ?? [], kinds, params });
}

/** Tells in the status of ValidatingAdmissionPolicies what is wrong with their expressions, given the types of what they match. */
export const policyStatusController: ControllerDescriptor = {
  name: 'validatingadmissionpolicy-status-controller',
  define: () =>
    defineController({
      name: 'validatingadmissionpolicy-status-controller',
      concurrency: 1,
      sources: [primary(policies)],
      create: ({ informers }) => {
        const informer = informers.informer(policies);
        return async (key, { client, signal }) => {
          const policy = informer.get(key);
          const generation = policy?.metadata?.generation ?? 0;
          if (policy === undefined || generation <= (policy.status?.observedGeneration ?? 0)) return;
          const expressionWarnings = await warningsOf(policy, client, signal);
          const status = { observedGeneration: generation, typeChecking: expressionWarnings.length === 0 ? {} : { expressionWarnings } };
          const { apiVersion, kind } = { apiVersion: 'admissionregistration.k8s.io/v1', kind: 'ValidatingAdmissionPolicy' };
          const body = { apiVersion, kind, metadata: { name: policy.metadata?.name, uid: policy.metadata?.uid }, status };
          try {
            await client.patch(
              policies,
              key,
              { type: 'apply', subresource: 'status', force: true, body },
              { fieldManager: manager, signal },
            );
          } catch (error) {
            if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
          }
        };
      },
    }),
};
