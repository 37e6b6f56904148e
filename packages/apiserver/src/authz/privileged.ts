import { mastersGroup } from '../authn/authenticator.ts';
import { type Authorizer, noOpinion } from './authorizer.ts';

/** `system:masters` may do everything: the way in that no policy can lock. */
export const mastersAuthorizer: Authorizer = {
  name: 'system:masters',
  authorize: (a) => (a.user.groups.includes(mastersGroup) ? { decision: 'allow', reason: '' } : noOpinion),
};

/** Health endpoints answer everyone, as upstream's --authorization-always-allow-paths. */
export function alwaysAllowPaths(paths: readonly string[]): Authorizer {
  const exact = new Set(paths.filter((p) => !p.endsWith('*')));
  const prefixes = paths.filter((p) => p.endsWith('*')).map((p) => p.slice(0, -1));
  return {
    name: 'always-allow-paths',
    authorize: (a) =>
      !a.isResourceRequest && (exact.has(a.path) || prefixes.some((p) => a.path.startsWith(p)))
        ? { decision: 'allow', reason: '' }
        : noOpinion,
  };
}
