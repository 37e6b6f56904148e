import { secret as secrets } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import { defineController, primary } from '@skiff/client';
import { bootstrapTokens, parseBootstrapToken } from '../bootstrap/bootstrap-token.ts';
import type { ControllerDescriptor } from '../descriptor.ts';

/** Deletes bootstrap tokens that have expired. */
export const tokenCleaner: ControllerDescriptor = {
  name: 'token-cleaner-controller',
  define: () =>
    defineController({
      name: 'token-cleaner-controller',
      concurrency: 1,
      sources: [primary(secrets, { options: bootstrapTokens })],
      create: ({ informers, clock }) => {
        const informer = informers.informer(secrets, bootstrapTokens);
        return async (key, { client, signal, log }) => {
          const found = informer.get(key);
          const token = found === undefined ? undefined : parseBootstrapToken(found);
          if (found === undefined || token?.expiresAtMs === undefined) return undefined;
          const leftMs = token.expiresAtMs - clock.now();
          if (leftMs > 0) return { requeueAfterMs: leftMs };
          log.info('bootstrap token has expired');
          try {
            await client.delete(secrets, key, { preconditions: { uid: found.metadata?.uid ?? '' }, signal });
          } catch (error) {
            if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
          }
          return undefined;
        };
      },
    }),
};
