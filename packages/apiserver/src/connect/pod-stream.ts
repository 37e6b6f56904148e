import { node, pod, type Node, type Pod } from '@skiff/api';
import { badRequest, notFound } from '@skiff/apimachinery';
import type { Authorizer } from '../authz/authorizer.ts';
import type { ObjectAccess } from '../contract.ts';
import { queryBoolean } from '../request/request-info.ts';
import type { ConnectHandler, ConnectRequest } from './connect-handler.ts';
import { chooseContainer } from './container-choice.ts';
import type { KubeletClient } from './kubelet-client.ts';
import { kubeletRoute } from './node-address.ts';
import { mustCreate, passUpgrade, upgradeHeaders, upgradeRequired, wantsUpgrade } from './upgrade.ts';

type Stream = 'exec' | 'attach' | 'portforward';

/** The kubelet's words for the API's parameters. */
function kubeletPath(stream: Stream, target: Pod, query: URLSearchParams): string {
  const namespace = target.metadata?.namespace ?? '';
  const name = target.metadata?.name ?? '';
  const out = new URLSearchParams();
  if (stream === 'portforward') {
    for (const port of query.getAll('ports').flatMap((p) => p.split(','))) if (port !== '') out.append('port', port);
    const text = out.toString();
    return `/portForward/${namespace}/${name}${text === '' ? '' : `?${text}`}`;
  }
  const container = chooseContainer(target, query.get('container') ?? '');
  const wanted = { stdin: 'input', stdout: 'output', stderr: 'error', tty: 'tty' } as const;
  for (const [asked, word] of Object.entries(wanted)) if (queryBoolean(query, asked)) out.set(word, '1');
  if (!out.has('input') && !out.has('output') && !out.has('error'))
    throw badRequest('you must specify at least 1 of stdin, stdout, stderr');
  if (stream === 'exec') {
    const command = query.getAll('command');
    if (command.length === 0) throw badRequest('you must specify at least one command for the container');
    for (const word of command) out.append('command', word);
  }
  return `/${stream}/${namespace}/${name}/${container}?${out.toString()}`;
}

function podStream(stream: Stream, deps: { objects: ObjectAccess; kubelets: KubeletClient; authorizer: Authorizer }): ConnectHandler {
  const { objects, kubelets, authorizer } = deps;
  return {
    group: '',
    resource: 'pods',
    subresource: stream,
    methods: ['GET', 'POST'],
    connect: async (r: ConnectRequest) => {
      const { namespace, name } = r.info;
      await mustCreate(r, authorizer);
      const target = objects.get<Pod>(pod, namespace, name) ?? (await objects.read<Pod>(pod, namespace, name));
      if (target === undefined) throw notFound({ group: '', resource: 'pods' }, name);
      const path = kubeletPath(stream, target as Pod, r.query);
      const nodeName = target.spec?.nodeName ?? '';
      if (nodeName === '') throw badRequest(`pod ${name} does not have a host assigned`);
      const host = objects.get<Node>(node, '', nodeName);
      if (host === undefined) throw notFound({ group: '', resource: 'nodes' }, nodeName);
      if (!wantsUpgrade(r.exchange)) throw upgradeRequired();
      const address = kubelets.addressOf(host);
      const request = await kubelets.open({
        scheme: 'https',
        route: kubeletRoute(nodeName, address),
        method: r.exchange.request.method ?? 'POST',
        path,
        headers: upgradeHeaders(r.exchange, `${address.host}:${address.port}`),
        kubelet: true,
      });
      await passUpgrade(r.exchange, request, r.signal);
    },
  };
}

/** exec, attach and portforward: the client's connection, passed through to the kubelet. */
export const podStreams = (deps: { objects: ObjectAccess; kubelets: KubeletClient; authorizer: Authorizer }): readonly ConnectHandler[] =>
  (['exec', 'attach', 'portforward'] as const).map((stream) => podStream(stream, deps));
