import { certificateSigningRequest, type CertificateSigningRequest } from '@skiff/api';
import { defineController, primary } from '@skiff/client';
import { formatTime } from '@skiff/component-base';
import type { CertificateAuthority } from '../certificates/certificate-authority.ts';
import { hasFailed, isApproved, isDenied, isIssued } from '../certificates/request-state.ts';
import { isKnownSigner, refusal } from '../certificates/signer-rules.ts';
import type { ControllerDescriptor } from '../descriptor.ts';

/** Signs approved requests of the signers that Kubernetes itself documents. */
export const certificateSigningController: ControllerDescriptor = {
  name: 'certificatesigningrequest-signing-controller',
  missing: ({ clusterSigning }) =>
    clusterSigning === undefined ? '--cluster-signing-cert-file and --cluster-signing-key-file' : undefined,
  define: (config) =>
    defineController({
      name: 'certificatesigningrequest-signing-controller',
      concurrency: 2,
      sources: [primary(certificateSigningRequest)],
      create: ({ informers, clock }) => {
        const informer = informers.informer(certificateSigningRequest);
        let authority: Promise<CertificateAuthority> | undefined;
        // Loaded with the first request: the X.509 library is large.
        const open = async (): Promise<CertificateAuthority> => {
          const { openCertificateAuthority } = await import('../certificates/certificate-authority.ts');
          const { certificate = '', key = '' } = config.clusterSigning ?? {};
          return await openCertificateAuthority({ certificate, key, maxDurationMs: config.clusterSigningDurationMs });
        };
        return async (key, { client, signal, log }) => {
          const request = informer.get(key);
          if (request === undefined || !isApproved(request) || isDenied(request) || hasFailed(request) || isIssued(request)) return;
          if (!isKnownSigner(request.spec.signerName)) return;
          const { parseCertificateRequest } = await import('../certificates/certificate-request.ts');
          const parsed = await parseCertificateRequest(request.spec.request);
          const usages = request.spec.usages ?? [];
          const draft = structuredClone(request) as CertificateSigningRequest;
          const reason = refusal(request.spec.signerName, parsed.identity, usages);
          if (reason !== undefined) {
            const now = formatTime(clock.now());
            const condition = {
              type: 'Failed',
              status: 'True',
              reason: 'SignerValidationFailure',
              message: reason,
              lastUpdateTime: now,
              lastTransitionTime: now,
            };
            draft.status = { ...draft.status, conditions: [...(draft.status?.conditions ?? []), condition] };
          } else {
            const pem = await (await (authority ??= open())).sign({
              request: parsed.request,
              usages,
              expirationSeconds: request.spec.expirationSeconds,
              nowMs: clock.now(),
            });
            draft.status = { ...draft.status, certificate: Buffer.from(pem).toString('base64') };
          }
          await client.updateStatus(certificateSigningRequest, draft, { signal });
          log.info(
            { signer: request.spec.signerName, commonName: parsed.identity.commonName, ...(reason === undefined ? {} : { reason }) },
            reason === undefined ? 'certificate issued' : 'request refused',
          );
        };
      },
    }),
};
