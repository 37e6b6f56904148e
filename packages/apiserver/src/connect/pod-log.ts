import { node, pod, type Node, type Pod } from '@skiff/api';
import { badRequest, FieldErrors, internalError, invalid, notFound, parseTime, StatusError, TimeError } from '@skiff/apimachinery';
import type { ObjectAccess } from '../contract.ts';
import { queryBoolean } from '../request/request-info.ts';
import { drained, responseClosed } from '../server/respond.ts';
import type { ConnectHandler, ConnectRequest } from './connect-handler.ts';
import { chooseContainer } from './container-choice.ts';
import { answerOf, type KubeletClient, readErrorBody } from './kubelet-client.ts';
import { kubeletRoute } from './node-address.ts';
import { sendToWebSocket, wantsWebSocket } from './websocket-reader.ts';

interface LogOptions {
  readonly container: string;
  readonly insecure: boolean;
  readonly follow: boolean;
  /** What the kubelet is asked. */
  readonly query: URLSearchParams;
}

const negative = 'must be greater than or equal to 0';
const streams = ['All', 'Stdout', 'Stderr'];

function integerOf(query: URLSearchParams, name: string): number | undefined {
  const text = query.get(name);
  if (text === null || text === '') return undefined;
  if (!/^[+-]?\d+$/.test(text)) throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  return Number(text);
}

/** PodLogOptions from the query. Throws Invalid as upstream does. */
export function parseLogOptions(query: URLSearchParams, podName: string): LogOptions {
  const errors = new FieldErrors();
  const tailLines = integerOf(query, 'tailLines');
  const limitBytes = integerOf(query, 'limitBytes');
  const sinceSeconds = integerOf(query, 'sinceSeconds');
  const sinceTime = timeOf(query, 'sinceTime');
  const stream = query.get('stream') || 'All';
  if (tailLines !== undefined && tailLines < 0) errors.invalid('tailLines', tailLines, negative);
  if (limitBytes !== undefined && limitBytes < 1) errors.invalid('limitBytes', limitBytes, 'must be greater than 0');
  if (sinceSeconds !== undefined && sinceTime) errors.forbidden('', 'at most one of `sinceTime` or `sinceSeconds` may be specified');
  else if (sinceSeconds !== undefined && sinceSeconds < 1) errors.invalid('sinceSeconds', sinceSeconds, 'must be greater than 0');
  if (!streams.includes(stream)) errors.notSupported('stream', stream, streams);
  if (stream !== 'All' && tailLines !== undefined) errors.forbidden('', '`tailLines` and specific `stream` are mutually exclusive for now');
  if (!errors.empty) throw invalid({ group: '', kind: 'PodLogOptions' }, podName, errors.list);
  const out = new URLSearchParams();
  for (const flag of ['follow', 'previous', 'timestamps']) if (queryBoolean(query, flag)) out.set(flag, 'true');
  if (sinceSeconds !== undefined) out.set('sinceSeconds', String(sinceSeconds));
  if (sinceTime) out.set('sinceTime', sinceTime);
  if (tailLines !== undefined) out.set('tailLines', String(tailLines));
  if (limitBytes !== undefined) out.set('limitBytes', String(limitBytes));
  out.set('stream', stream);
  return {
    container: query.get('container') ?? '',
    insecure: queryBoolean(query, 'insecureSkipTLSVerifyBackend'),
    follow: queryBoolean(query, 'follow'),
    query: out,
  };
}

/** '' where there is none. Throws BadRequest. */
function timeOf(query: URLSearchParams, name: string): string {
  const text = query.get(name) ?? '';
  if (text === '' || text === 'null') return '';
  try {
    parseTime(text);
  } catch (error) {
    if (error instanceof TimeError) throw badRequest(error.message);
    throw error;
  }
  return text;
}

function kubeletError(code: number, name: string, text: string): StatusError {
  if (code === 400) return badRequest(text);
  if (code === 500) return internalError(new Error(text));
  if (code === 404) {
    return new StatusError('NotFound', `the server could not find the requested resource ( pods/log ${name})`, {
      details: { name, kind: 'pods/log', causes: [{ reason: 'UnexpectedServerResponse', message: text }] },
    });
  }
  return new StatusError('', text === '' ? `the kubelet answered with ${code}` : text, { code: code >= 300 && code < 400 ? 502 : code });
}

/** `pods/log`: the kubelet's text, as it comes. */
export function podLog(deps: { objects: ObjectAccess; kubelets: KubeletClient }): ConnectHandler {
  const { objects, kubelets } = deps;
  return {
    group: '',
    resource: 'pods',
    subresource: 'log',
    methods: ['GET'],
    connect: async (r: ConnectRequest) => {
      const { namespace, name } = r.info;
      const options = parseLogOptions(r.query, name);
      const target = objects.get<Pod>(pod, namespace, name) ?? (await objects.read<Pod>(pod, namespace, name));
      if (target === undefined) throw notFound({ group: '', resource: 'pods' }, name);
      const container = chooseContainer(target, options.container);
      const response = r.exchange.response;
      const nodeName = target.spec?.nodeName ?? '';
      if (nodeName === '') {
        response.writeHead(204);
        response.end();
        return;
      }
      response.setHeader('content-type', 'text/plain');
      const host = objects.get<Node>(node, '', nodeName);
      if (host === undefined) throw notFound({ group: '', resource: 'nodes' }, nodeName);
      const address = kubelets.addressOf(host);
      const request = await kubelets.open({
        scheme: 'https',
        route: kubeletRoute(nodeName, address),
        method: 'GET',
        path: `/containerLogs/${namespace}/${name}/${container}?${options.query.toString()}`,
        headers: { host: `${address.host}:${address.port}`, 'user-agent': 'skiff-apiserver' },
        kubelet: true,
        insecure: options.insecure,
      });
      request.end();
      const { response: answer } = await answerOf(request, r.signal);
      const stop = (): void => void answer.destroy();
      r.signal.addEventListener('abort', stop, { once: true });
      try {
        const code = answer.statusCode ?? 500;
        if (code < 200 || code > 206) throw kubeletError(code, name, await readErrorBody(answer));
        if (wantsWebSocket(r.exchange)) {
          await sendToWebSocket(r.exchange, answer as AsyncIterable<Buffer>, r.signal);
          return;
        }
        response.writeHead(200);
        if (options.follow && 'flushHeaders' in response) response.flushHeaders();
        for await (const piece of answer) {
          if (responseClosed(response)) break;
          const taken = 'stream' in response ? response.write(piece as Buffer) : response.write(piece as Buffer);
          if (!taken) await drained(response);
        }
      } catch (error) {
        // Cut off by the client, or by us when the server stops: the log just ends.
        if (!response.headersSent || !r.signal.aborted) throw error;
      } finally {
        r.signal.removeEventListener('abort', stop);
        answer.destroy();
      }
      if (!responseClosed(response)) response.end();
    },
  };
}
