import { statSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import { request as httpRequest, type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import type { Duplex } from 'node:stream';
import type { Node } from '@skiff/api';
import { type DeepReadonly, StatusError } from '@skiff/apimachinery';
import type { KubeletClientConfig } from '../config.ts';
import type { Dialer, Route } from '../tunnel/dialer.ts';
import { DialingAgent, type DialingOptions } from './dialing-agent.ts';
import { type KubeletAddress, kubeletAddress } from './node-address.ts';

/** A request to send on; `path` is already encoded and carries its query. */
export interface BackendRequest {
  readonly scheme: 'http' | 'https';
  readonly route: Route;
  readonly method: string;
  readonly path: string;
  readonly headers: OutgoingHttpHeaders;
  /** Sent with the kubelet client certificate and checked against the kubelets' CA; otherwise the server is not checked. */
  readonly kubelet: boolean;
  readonly insecure?: boolean;
}

export interface KubeletClient {
  addressOf(node: DeepReadonly<Node>): KubeletAddress;
  /** Starts a request whose body the caller writes. Redirects are never followed. */
  open(r: BackendRequest): Promise<ClientRequest>;
  close(): void;
}

interface Credentials {
  readonly cert?: string;
  readonly key?: string;
  readonly ca?: string;
}

/** Kubelets close what is idle for longer. */
const idleMs = 30_000;

async function readCredentials(config: KubeletClientConfig): Promise<Credentials> {
  const read = (file: string | undefined): Promise<string> | undefined => (file === undefined ? undefined : readFile(file, 'utf8'));
  const [cert, key, ca] = await Promise.all([read(config.certFile), read(config.keyFile), read(config.caFile)]);
  return { ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }), ...(ca === undefined ? {} : { ca }) };
}

/** Changes when a file does. */
const stampOf = (config: KubeletClientConfig): string =>
  [config.certFile, config.keyFile, config.caFile]
    .map((file) => (file === undefined ? '' : (statSync(file, { throwIfNoEntry: false })?.mtimeMs ?? '')))
    .join(' ');

/** Connections to kubelets, pods and services. The credentials are read when first needed, and again when their files changed. */
export function createKubeletClient(config: KubeletClientConfig, deps: { dialer: Dialer }): KubeletClient {
  const { dialer } = deps;
  let credentials: Promise<Credentials> | undefined;
  // Kubelets are asked often; what pods serve may close a connection at any time.
  const pods = { http: new DialingAgent({}, { dialer }), https: new DialingAgent({}, { dialer, tls: { rejectUnauthorized: false } }) };
  const kubelets = { checked: undefined as DialingAgent | undefined, unchecked: undefined as DialingAgent | undefined };
  let stamp = '';
  const kubeletAgent = async (insecure: boolean): Promise<DialingAgent> => {
    const now = stampOf(config);
    if (now !== stamp) {
      stamp = now;
      credentials = undefined;
      // What runs on the old ones goes on; connections that wait for use are closed after a while.
      kubelets.checked = undefined;
      kubelets.unchecked = undefined;
    }
    credentials ??= readCredentials(config).catch((error: unknown) => {
      credentials = undefined;
      throw error;
    });
    const c = await credentials;
    const kind = insecure || c.ca === undefined ? 'unchecked' : 'checked';
    const tls = { ...c, rejectUnauthorized: kind === 'checked' };
    return (kubelets[kind] ??= new DialingAgent({ keepAlive: true, maxFreeSockets: 4, timeout: idleMs }, { dialer, tls }));
  };
  return {
    addressOf: (node) => kubeletAddress(node, config.preferredAddressTypes),
    open: async (r) => {
      const agent = r.kubelet && r.scheme === 'https' ? await kubeletAgent(r.insecure === true) : pods[r.scheme];
      const options: DialingOptions = { agent, route: r.route, method: r.method, path: r.path, headers: r.headers, setHost: false };
      return httpRequest(options);
    },
    close: () => {
      for (const agent of [kubelets.checked, kubelets.unchecked, pods.http, pods.https]) agent?.destroy();
    },
  };
}

/** The answer of a started request: its response, or the connection that was upgraded. Rejects with ServiceUnavailable when there is none. */
export function answerOf(
  request: ClientRequest,
  signal: AbortSignal,
): Promise<{ response: IncomingMessage; upgraded?: { socket: Duplex; head: Buffer } }> {
  return new Promise((resolve, reject) => {
    const onAbort = (): void => {
      request.destroy();
    };
    if (signal.aborted) onAbort();
    signal.addEventListener('abort', onAbort, { once: true });
    const done = (): void => signal.removeEventListener('abort', onAbort);
    request.once('response', (response) => {
      done();
      resolve({ response });
    });
    request.once('upgrade', (response, socket, head) => {
      done();
      resolve({ response, upgraded: { socket, head } });
    });
    request.once('error', (error: Error) => {
      done();
      reject(
        new StatusError('InternalError', `error dialing backend: ${error.message}`, {
          code: 500,
          details: { causes: [{ message: error.message }] },
          cause: error,
        }),
      );
    });
  });
}

const errorBodyBytes = 64 * 1024;

/** A short error body as text. */
export async function readErrorBody(response: IncomingMessage): Promise<string> {
  const pieces: Buffer[] = [];
  let bytes = 0;
  for await (const piece of response) {
    pieces.push(piece as Buffer);
    bytes += (piece as Buffer).length;
    if (bytes > errorBodyBytes) break;
  }
  return Buffer.concat(pieces).toString('utf8').slice(0, errorBodyBytes);
}
