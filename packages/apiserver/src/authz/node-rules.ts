import { componentRoles } from '../bootstrap/component-roles.ts';
import type { Rule } from './policy-rule.ts';

/** What every node may do alike: the rules of the (unbound) cluster role `system:node`. */
export const nodeRules: readonly Rule[] = componentRoles.find((r) => r.name === 'system:node')?.rules ?? [];
