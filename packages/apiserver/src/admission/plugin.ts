import type { AdmissionRequest, Lifetime } from '../contract.ts';
import { type AdmissionMetrics, uncounted } from './admission-metrics.ts';
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
export function createAdmissionChain(
  plugins: readonly AdmissionPlugin[],
  metrics: AdmissionMetrics = uncounted,
): {
  mutate(r: AdmissionRequest, lifetime: Lifetime): Promise<void>;
  validate(r: AdmissionRequest, lifetime: Lifetime): Promise<void>;
} {
  const mutating = plugins.filter((p) => p.mutate !== undefined);
  const validating = plugins.filter((p) => p.validate !== undefined);
  return {
    mutate: async (r, lifetime) => {
      const rounds = new MutationRounds();
      const step = metrics.begin('admit', r.operation);
      try {
        do {
          for (const p of mutating) {
            if (!p.handles(r)) continue;
            step.plugin(p.name);
            await p.mutate?.(r, lifetime, rounds);
          }
        } while (rounds.next());
        step.end(false);
      } catch (error) {
        step.end(true);
        throw error;
      }
    },
    validate: async (r, lifetime) => {
      const step = metrics.begin('validate', r.operation);
      try {
        for (const p of validating) {
          if (!p.handles(r)) continue;
          step.plugin(p.name);
          await p.validate?.(r, lifetime);
        }
        step.end(false);
      } catch (error) {
        step.end(true);
        throw error;
      }
    },
  };
}
