import { certificateSigningRequest } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import { defineController, primary } from '@skiff/client';
import { cleanUpAtMs } from '../certificates/request-state.ts';
import type { ControllerDescriptor } from '../descriptor.ts';

/** Deletes certificate requests: decided ones after an hour, others after a day. */
export const certificateCleaner: ControllerDescriptor = {
  name: 'certificatesigningrequest-cleaner-controller',
  define: () =>
    defineController({
      name: 'certificatesigningrequest-cleaner-controller',
      concurrency: 1,
      sources: [primary(certificateSigningRequest)],
      create: ({ informers, clock }) => {
        const informer = informers.informer(certificateSigningRequest);
        return async (key, { client, signal }) => {
          const request = informer.get(key);
          if (request === undefined) return undefined;
          const leftMs = cleanUpAtMs(request) - clock.now();
          if (leftMs > 0) return { requeueAfterMs: leftMs };
          try {
            await client.delete(certificateSigningRequest, key, { preconditions: { uid: request.metadata?.uid ?? '' }, signal });
          } catch (error) {
            if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
          }
          return undefined;
        };
      },
    }),
};
