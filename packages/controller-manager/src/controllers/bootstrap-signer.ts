import { configMap as configMaps, secret as secrets, type ConfigMap } from '@skiff/api';
import { defineController, mapped } from '@skiff/client';
import { bootstrapTokens, detachedSignature, parseBootstrapToken } from '../bootstrap/bootstrap-token.ts';
import type { ControllerDescriptor } from '../descriptor.ts';

const clusterInfo = { namespace: 'kube-public', name: 'cluster-info' } as const;
const onlyClusterInfo = { namespace: clusterInfo.namespace, fieldSelector: `metadata.name=${clusterInfo.name}` };
const signaturePrefix = 'jws-kubeconfig-';
const key = `${clusterInfo.namespace}/${clusterInfo.name}`;

/** Signs the kubeconfig in kube-public/cluster-info with each bootstrap token, so that who joins can tell that it is genuine. */
export const bootstrapSigner: ControllerDescriptor = {
  name: 'bootstrap-signer-controller',
  define: () =>
    defineController({
      name: 'bootstrap-signer-controller',
      concurrency: 1,
      sources: [mapped(configMaps, () => [key], { options: onlyClusterInfo }), mapped(secrets, () => [key], { options: bootstrapTokens })],
      create: ({ informers }) => {
        const maps = informers.informer(configMaps, onlyClusterInfo);
        const tokens = informers.informer(secrets, bootstrapTokens);
        return async (_key, { client, signal, log }) => {
          const map = maps.get(clusterInfo);
          const kubeconfig = map?.data?.['kubeconfig'];
          if (map === undefined || kubeconfig === undefined) return;
          const data: Record<string, string> = Object.fromEntries(
            Object.entries(map.data ?? {}).filter(([name]) => !name.startsWith(signaturePrefix)),
          );
          for (const found of tokens.list()) {
            const token = parseBootstrapToken(found);
            if (token?.signing === true) data[signaturePrefix + token.id] = detachedSignature(kubeconfig, token);
          }
          const names = Object.keys(data);
          if (names.length === Object.keys(map.data ?? {}).length && names.every((name) => data[name] === map.data?.[name])) return;
          await client.update(configMaps, { ...(structuredClone(map) as ConfigMap), data }, { signal });
          log.info('cluster-info signed');
        };
      },
    }),
};
