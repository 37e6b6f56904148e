import { isIP } from 'node:net';
import {
  type CertificateIdentity,
  type CertificateManager,
  type Client,
  createCertificateManager,
  kubeletServingSigner,
} from '@skiff/client';
import type { Clock, Logger } from '@skiff/component-base';

/** Who a kubelet is to the API. */
export const nodeIdentity = (nodeName: string): CertificateIdentity => ({
  commonName: `system:node:${nodeName}`,
  organizations: ['system:nodes'],
});

/**
 * Gets and renews the certificate of the kubelet's server, for the addresses that its Node has in the API: no others are
 * approved, and none before the node is registered.
 */
export const servingCertificate = (
  o: { file: string; nodeName: string; addresses: readonly string[] },
  deps: { client: Client; clock: Clock; log: Logger; changed: (pem: string) => void },
): CertificateManager =>
  createCertificateManager(
    {
      file: o.file,
      signerName: kubeletServingSigner,
      identity: {
        ...nodeIdentity(o.nodeName),
        dnsNames: o.addresses.filter((a) => isIP(a) === 0),
        ipAddresses: o.addresses.filter((a) => isIP(a) !== 0),
      },
    },
    deps,
  );
