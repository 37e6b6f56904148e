import { namespace as namespaces, serviceAccount } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import { defineController, mapped, primary } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { isNamespaceTerminating } from '../pods/pod-control.ts';

const defaultName = 'default';

/** Every namespace has a ServiceAccount `default`. */
export const serviceAccountController: ControllerDescriptor = {
  name: 'serviceaccount-controller',
  define: () =>
    defineController({
      name: 'serviceaccount-controller',
      concurrency: 5,
      sources: [
        primary(namespaces, { changed: (a, b) => a.status?.phase !== b.status?.phase }),
        mapped(serviceAccount, (account) => (account.metadata?.name === defaultName ? [account.metadata.namespace ?? ''] : []), {
          changed: () => false,
        }),
      ],
      create: ({ informers }) => {
        const namespaceInformer = informers.informer(namespaces);
        const accounts = informers.informer(serviceAccount);
        return async ({ name }, { client, signal }) => {
          const namespace = namespaceInformer.get({ name });
          if (
            namespace === undefined ||
            namespace.status?.phase !== 'Active' ||
            accounts.get({ namespace: name, name: defaultName }) !== undefined
          )
            return;
          try {
            await client.create(serviceAccount, { metadata: { namespace: name, name: defaultName } }, { signal });
          } catch (error) {
            // A namespace on its way out refuses creates; one that has gone is not found.
            if (!hasReason(error, 'AlreadyExists') && !hasReason(error, 'NotFound') && !isNamespaceTerminating(error)) throw error;
          }
        };
      },
    }),
};
