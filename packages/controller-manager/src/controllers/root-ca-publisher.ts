import { configMap, namespace as namespaces, type ConfigMap } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import { defineController, mapped, primary } from '@skiff/client';
import type { ControllerDescriptor } from '../descriptor.ts';
import { isNamespaceTerminating } from '../pods/pod-control.ts';

const name = 'kube-root-ca.crt';
const annotation = 'kubernetes.io/description';
const description = 'CA certificates with which pods verify the apiserver at its addresses inside of the cluster.';

/** Every namespace has the CA bundle of the apiserver in a ConfigMap, and nobody else's edits stay in it. */
export const rootCaPublisher: ControllerDescriptor = {
  name: 'root-ca-certificate-publisher-controller',
  missing: ({ rootCa }) => (rootCa === undefined ? '--root-ca-file' : undefined),
  define: ({ rootCa = '' }) =>
    defineController({
      name: 'root-ca-certificate-publisher-controller',
      concurrency: 5,
      sources: [
        primary(namespaces, { changed: (a, b) => a.status?.phase !== b.status?.phase }),
        mapped(configMap, (map) => [map.metadata?.namespace ?? ''], { options: { fieldSelector: `metadata.name=${name}` } }),
      ],
      create: ({ informers }) => {
        const namespaceInformer = informers.informer(namespaces);
        const maps = informers.informer(configMap, { fieldSelector: `metadata.name=${name}` });
        const wanted = (namespace: string): ConfigMap => ({
          metadata: { namespace, name, annotations: { [annotation]: description } },
          data: { 'ca.crt': rootCa },
        });
        return async ({ name: namespace }, { client, signal }) => {
          const found = namespaceInformer.get({ name: namespace });
          if (found === undefined || found.metadata?.deletionTimestamp !== undefined || found.status?.phase !== 'Active') return;
          const current = maps.get({ namespace, name });
          try {
            if (current === undefined) {
              await client.create(configMap, wanted(namespace), { signal });
              return;
            }
            const keys = Object.keys(current.data ?? {});
            const right =
              keys.length === 1 && current.data?.['ca.crt'] === rootCa && current.metadata?.annotations?.[annotation] !== undefined;
            if (right && Object.keys(current.binaryData ?? {}).length === 0) return;
            const draft = structuredClone(current) as ConfigMap;
            delete draft.binaryData;
            await client.update(
              configMap,
              {
                ...draft,
                metadata: { ...draft.metadata, annotations: { ...draft.metadata?.annotations, [annotation]: description } },
                data: { 'ca.crt': rootCa },
              },
              { signal },
            );
          } catch (error) {
            if (!hasReason(error, 'AlreadyExists') && !hasReason(error, 'NotFound') && !isNamespaceTerminating(error)) throw error;
          }
        };
      },
    }),
};
