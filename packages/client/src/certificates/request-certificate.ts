import { certificateSigningRequest, type CertificateSigningRequest } from '@skiff/api';
import { hasReason } from '@skiff/apimachinery';
import { childSignal } from '@skiff/component-base';
import type { Client } from '../contract.ts';
import { type CertificateIdentity, createCertificateRequest } from './pkcs10.ts';

export const clientSigner = 'kubernetes.io/kube-apiserver-client';
export const kubeletClientSigner = 'kubernetes.io/kube-apiserver-client-kubelet';
export const kubeletServingSigner = 'kubernetes.io/kubelet-serving';

export interface CertificateOrder {
  readonly signerName: string;
  readonly identity: CertificateIdentity;
  /** What the certificate is wished to last; the signer may give less. */
  readonly expirationSeconds?: number;
}

/** A request was denied, has failed, or was not answered in time. */
export class CertificateRefused extends Error {}

interface Waiting {
  readonly client: Client;
  readonly signal: AbortSignal;
  readonly key: string;
}

/** The certificate with its key in front, PEM, once it is there. Throws CertificateRefused. */
function outcome(found: CertificateSigningRequest, key: string): string | undefined {
  const name = found.metadata?.name ?? '';
  for (const c of found.status?.conditions ?? []) {
    if (c.type !== 'Denied' && c.type !== 'Failed') continue;
    const why = c.message || c.reason || 'no reason was given';
    throw new CertificateRefused(`the certificate request ${name} was ${c.type === 'Denied' ? 'denied' : 'not signed'}: ${why}`);
  }
  const certificate = found.status?.certificate;
  return certificate ? key + Buffer.from(certificate, 'base64').toString('utf8') : undefined;
}

async function follow(created: CertificateSigningRequest, o: Waiting): Promise<string> {
  const name = created.metadata?.name ?? '';
  let last = created;
  for (;;) {
    const pem = outcome(last, o.key);
    if (pem !== undefined) return pem;
    const from = last.metadata?.resourceVersion ?? '';
    try {
      for await (const event of o.client.watch(certificateSigningRequest, undefined, {
        fieldSelector: `metadata.name=${name}`,
        resourceVersion: from,
        signal: o.signal,
      })) {
        if (event.type === 'DELETED') throw new CertificateRefused(`the certificate request ${name} was deleted before it was signed`);
        if (event.type === 'ERROR') break;
        last = event.object;
        const ready = outcome(last, o.key);
        if (ready !== undefined) return ready;
      }
      // The watch ended by itself: look again.
      last = await o.client.get(certificateSigningRequest, { name }, { signal: o.signal });
    } catch (error) {
      if (hasReason(error, 'NotFound')) throw new CertificateRefused(`the certificate request ${name} was deleted before it was signed`);
      throw error;
    }
  }
}

/**
 * Makes a key, asks the API for a certificate for it (certificates.k8s.io/v1) and waits for it: PEM of the key and then the
 * certificate. The key is never sent. Throws CertificateRefused, or the client's error; `timeoutMs` bounds all of it.
 */
export async function requestCertificate(
  order: CertificateOrder,
  o: { readonly client: Client; readonly signal: AbortSignal; readonly timeoutMs: number },
): Promise<string> {
  const { key, request } = createCertificateRequest(order.identity);
  using child = childSignal(o.signal, o.timeoutMs);
  let created: CertificateSigningRequest | undefined;
  try {
    created = await o.client.create<CertificateSigningRequest>(
      certificateSigningRequest,
      {
        metadata: { generateName: 'csr-' },
        spec: {
          request: Buffer.from(request).toString('base64'),
          signerName: order.signerName,
          usages: ['digital signature', order.signerName === kubeletServingSigner ? 'server auth' : 'client auth'],
          ...(order.expirationSeconds === undefined ? {} : { expirationSeconds: order.expirationSeconds }),
        },
      },
      { signal: child.signal },
    );
    return await follow(created, { client: o.client, signal: child.signal, key });
  } catch (error) {
    if (created === undefined || o.signal.aborted || !child.signal.aborted) throw error;
    const name = created.metadata?.name ?? '';
    throw new CertificateRefused(
      `the certificate request ${name} was not signed within ${o.timeoutMs / 1000} s (see: kubectl describe certificatesigningrequest ${name})`,
      { cause: error },
    );
  }
}
