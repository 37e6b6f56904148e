import { readFile } from 'node:fs/promises';
import { request as httpRequest, type ClientRequest, type IncomingMessage, type OutgoingHttpHeaders } from 'node:http';
import { Agent, request as httpsRequest } from 'node:https';
import type { Duplex } from 'node:stream';
import type { Node } from '@skiff/api';
import { type DeepReadonly, StatusError } from '@skiff/apimachinery';
import type { KubeletClientConfig } from '../config.ts';
import { type KubeletAddress, kubeletAddress } from './node-address.ts';

/** A request to send on; `path` is already encoded and carries its query. */
export interface BackendRequest {
  readonly scheme: 'http' | 'https';
  readonly host: string;
  readonly port: number;
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

async function readCredentials(config: KubeletClientConfig): Promise<Credentials> {
  const read = (file: string | undefined): Promise<string> | undefined => (file === undefined ? undefined : readFile(file, 'utf8'));
  const [cert, key, ca] = await Promise.all([read(config.certFile), read(config.keyFile), read(config.caFile)]);
  return { ...(cert === undefined ? {} : { cert }), ...(key === undefined ? {} : { key }), ...(ca === undefined ? {} : { ca }) };
}

/** Connections to kubelets, pods and services. The credentials are read when first needed. */
export function createKubeletClient(config: KubeletClientConfig): KubeletClient {
  let credentials: Promise<Credentials> | undefined;
  const agents = { checked: undefined as Agent | undefined, unchecked: undefined as Agent | undefined };
  const kubeletAgent = async (insecure: boolean): Promise<Agent> => {
    credentials ??= readCredentials(config).catch((error: unknown) => {
      credentials = undefined;
      throw error;
    });
    const c = await credentials;
    const kind = insecure || c.ca === undefined ? 'unchecked' : 'checked';
    return (agents[kind] ??= new Agent({ ...c, keepAlive: true, maxFreeSockets: 4, timeout: 0, rejectUnauthorized: kind === 'checked' }));
  };
  return {
    addressOf: (node) => kubeletAddress(node, config.preferredAddressTypes),
    open: async (r) => {
      const common = { host: r.host, port: r.port, method: r.method, path: r.path, headers: r.headers, setHost: false };
      if (r.scheme === 'http') return httpRequest(common);
      if (!r.kubelet) return httpsRequest({ ...common, rejectUnauthorized: false, agent: false });
      return httpsRequest({ ...common, agent: await kubeletAgent(r.insecure === true) });
    },
    close: () => {
      agents.checked?.destroy();
      agents.unchecked?.destroy();
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
