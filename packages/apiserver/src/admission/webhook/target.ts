import { endpointSlice, type EndpointSlice, pod, type Pod, service, type Service } from '@skiff/api';
import type { ObjectAccess } from '../../contract.ts';
import type { Route } from '../../tunnel/dialer.ts';
import { WebhookError, type WebhookTarget } from './client.ts';

/** How configurations of webhooks, and CustomResourceDefinitions, say where one is. */
export interface ClientConfig {
  readonly url?: string;
  readonly service?: { readonly namespace: string; readonly name: string; readonly path?: string; readonly port?: number };
  /** Base64 of PEM. */
  readonly caBundle?: string;
}

/** One of the ready pods behind a webhook's Service. Throws WebhookError. */
export function serviceRoute(objects: ObjectAccess, namespaceName: string, name: string, port: number): Route {
  const found = objects.get<Service>(service, namespaceName, name);
  if (found === undefined) throw new WebhookError(`service ${JSON.stringify(name)} not found`);
  if (found.spec?.type === 'ExternalName') return { host: found.spec.externalName ?? '', port };
  const declared = (found.spec?.ports ?? []).find((p) => p.port === port);
  if (declared === undefined) throw new WebhookError(`no service port ${port} found for service ${JSON.stringify(name)}`);
  const routes: Route[] = [];
  for (const slice of objects.list<EndpointSlice>(endpointSlice, namespaceName)) {
    if (slice.metadata?.namespace !== namespaceName || slice.metadata.labels?.['kubernetes.io/service-name'] !== name) continue;
    const target = (slice.ports ?? []).find((p) => (p.name ?? '') === (declared.name ?? ''))?.port;
    if (target === undefined) continue;
    for (const endpoint of slice.endpoints ?? []) {
      const host = endpoint.addresses[0];
      if (endpoint.conditions?.ready === false || host === undefined) continue;
      const behind = endpoint.targetRef?.kind === 'Pod' ? objects.get<Pod>(pod, namespaceName, endpoint.targetRef.name ?? '') : undefined;
      const node = behind?.spec?.nodeName ?? '';
      const own = behind?.status?.podIPs?.some((p) => p.ip === host) ?? false;
      routes.push({
        host,
        port: target,
        ...(node !== '' && own && behind?.spec?.hostNetwork !== true ? { node, target: { pod: { host, port: target } } } : {}),
      });
    }
  }
  const chosen = routes[Math.floor(Math.random() * routes.length)];
  if (chosen === undefined) throw new WebhookError(`no endpoints available for service ${JSON.stringify(name)}`);
  return chosen;
}

/** Where the URL or Service of a webhook's clientConfig leads. Throws WebhookError. */
export function targetOf(objects: ObjectAccess, config: ClientConfig): WebhookTarget {
  const { url, service: behind, caBundle } = config;
  const ca = caBundle === undefined || caBundle === '' ? undefined : Buffer.from(caBundle, 'base64').toString('utf8');
  if (url !== undefined) {
    const parsed = new URL(url);
    const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
    return { url: parsed, route: { host, port: Number(parsed.port || 443) }, serverName: host, ca };
  }
  if (behind === undefined) throw new WebhookError('neither url nor service is set');
  const port = behind.port ?? 443;
  const serverName = `${behind.name}.${behind.namespace}.svc`;
  const path = behind.path ?? '/';
  return {
    url: new URL(`https://${serverName}:${port}${path.startsWith('/') ? path : `/${path}`}`),
    route: serviceRoute(objects, behind.namespace, behind.name, port),
    serverName,
    ca,
  };
}
