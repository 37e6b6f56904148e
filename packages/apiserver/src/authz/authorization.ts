import type { AuthorizationMode } from '../config.ts';
import type { ObjectAccess } from '../contract.ts';
import { type Authorizer, unionAuthorizer } from './authorizer.ts';
import { mastersAuthorizer } from './privileged.ts';
import { createNodeAuthorizer } from './node.ts';
import { createRbacAuthorizer, createRuleResolver, type RuleResolver } from './rbac.ts';

export interface Authorization extends Disposable {
  readonly authorizer: Authorizer;
  /** RBAC's rules, for escalation checks and SelfSubjectRulesReview. */
  readonly rules: RuleResolver;
}

const always = (decision: 'allow' | 'deny'): Authorizer => ({
  name: decision === 'allow' ? 'AlwaysAllow' : 'AlwaysDeny',
  authorize: () => ({
    decision: decision === 'allow' ? 'allow' : 'no-opinion',
    reason: decision === 'allow' ? '' : 'Everything is forbidden.',
  }),
});

/** The authorizers of `modes`, in that order, behind what always holds: system:masters. */
export function createAuthorization(modes: readonly AuthorizationMode[], objects: ObjectAccess): Authorization {
  const rules = createRuleResolver(objects);
  const node = modes.includes('Node') ? createNodeAuthorizer(objects) : undefined;
  const byMode = (mode: AuthorizationMode): readonly Authorizer[] => {
    switch (mode) {
      case 'RBAC':
        return [createRbacAuthorizer(rules)];
      case 'Node':
        return node === undefined ? [] : [node];
      case 'AlwaysAllow':
        return [always('allow')];
      case 'AlwaysDeny':
        return [always('deny')];
    }
  };
  return {
    authorizer: unionAuthorizer([mastersAuthorizer, ...modes.flatMap(byMode)]),
    rules,
    [Symbol.dispose]: () => {
      rules[Symbol.dispose]();
      node?.[Symbol.dispose]();
    },
  };
}
