import type { AdmissionRequest, Lifetime } from '../contract.ts';
import { MutationRounds } from './reinvocation.ts';

/** What a plugin sees of a request: by operation and resource, before anything else is asked. */
export interface AdmissionPlugin {
  readonly name: string;
  handles(r: AdmissionRequest): boolean;
  /** May change `r.object`. Runs again when the write is retried: no side effects. Throws StatusError to refuse. */
  mutate?(r: AdmissionRequest, lifetime: Lifetime, rounds: MutationRounds): void | Promise<void>;
  /** Sees what would be stored. Throws StatusError to refuse. */
  validate?(r: AdmissionRequest, lifetime: Lifetime): void | Promise<void>;
}

/** Is the request about this resource itself (subresource '') or one of its subresources? */
export const isFor = (r: AdmissionRequest, group: string, resource: string, subresource = ''): boolean =>
  r.definition.group === group && r.definition.plural === resource && r.subresource === subresource;

/** Plugins in order. First all mutate (twice, where webhooks or policies changed something), later, on the final object, all validate. */
export function createAdmissionChain(plugins: readonly AdmissionPlugin[]): {
  mutate(r: AdmissionRequest, lifetime: Lifetime): Promise<void>;
  validate(r: AdmissionRequest, lifetime: Lifetime): Promise<void>;
} {
  const mutating = plugins.filter((p) => p.mutate !== undefined);
  const validating = plugins.filter((p) => p.validate !== undefined);
  return {
    mutate: async (r, lifetime) => {
      const rounds = new MutationRounds();
      do {
        for (const p of mutating) if (p.handles(r)) await p.mutate?.(r, lifetime, rounds);
      } while (rounds.next());
    },
    validate: async (r, lifetime) => {
      for (const p of validating) if (p.handles(r)) await p.validate?.(r, lifetime);
    },
  };
}
