import {
  certificateSigningRequest,
  node as nodes,
  subjectAccessReview,
  type CertificateSigningRequest,
  type SubjectAccessReview,
} from '@skiff/api';
import { keyOf } from '@skiff/apimachinery';
import { defineController, mapped, primary, type Client } from '@skiff/client';
import { formatTime } from '@skiff/component-base';
import { addressesOf, isLiveNode, isOwnServing, nodeNameOf } from '../certificates/node-requests.ts';
import { hasFailed, isApproved, isDenied, type RequestView } from '../certificates/request-state.ts';
import { clientSigner, isProxyIdentity, kubeletClientSigner, kubeletServingSigner, refusal } from '../certificates/signer-rules.ts';
import type { ControllerDescriptor } from '../descriptor.ts';

/** Whether the requester may create requests of this subresource: selfnodeclient, nodeclient, nodeproxyclient. */
async function isAllowed(client: Client, request: RequestView, o: { subresource: string; signal: AbortSignal }): Promise<boolean> {
  const { username = '', uid, groups, extra } = request.spec;
  const spec: NonNullable<SubjectAccessReview['spec']> = {
    user: username,
    ...(uid === undefined ? {} : { uid }),
    groups: [...(groups ?? [])],
    extra: Object.fromEntries(Object.entries(extra ?? {}).map(([key, values]) => [key, [...values]])),
    resourceAttributes: {
      group: 'certificates.k8s.io',
      resource: 'certificatesigningrequests',
      verb: 'create',
      subresource: o.subresource,
      version: '*',
    },
  };
  const review = await client.create<SubjectAccessReview>(subjectAccessReview, { spec }, { signal: o.signal });
  return review.status?.allowed === true;
}

const isWaitingForNodes = (request: RequestView): boolean =>
  request.spec.signerName === kubeletServingSigner && !isApproved(request) && !isDenied(request);

interface Calling {
  readonly client: Client;
  readonly signal: AbortSignal;
}

/**
 * Approves client certificates of kubelets after asking the authorizer, as upstream does; and, which upstream leaves to the
 * administrator, serving certificates that a node asks for itself for no other than its Node's own addresses, and the one
 * identity of all proxies. A token does not become a node that lives.
 */
export const certificateApprovingController: ControllerDescriptor = {
  name: 'certificatesigningrequest-approving-controller',
  define: () =>
    defineController({
      name: 'certificatesigningrequest-approving-controller',
      concurrency: 2,
      sources: [
        primary(certificateSigningRequest),
        // A serving certificate may be asked for before its Node was seen here, or got its address, or another gave it up.
        mapped(nodes, (_node, { informers }) => informers.informer(certificateSigningRequest).list().filter(isWaitingForNodes).map(keyOf), {
          changed: (a, b) => addressesOf(a).join(' ') !== addressesOf(b).join(' '),
        }),
      ],
      create: ({ informers, clock }) => {
        const informer = informers.informer(certificateSigningRequest);
        const nodeInformer = informers.informer(nodes);
        const decide = async (request: RequestView, type: 'Approved' | 'Denied', message: string, o: Calling): Promise<void> => {
          const draft = structuredClone(request) as CertificateSigningRequest;
          const now = formatTime(clock.now());
          const condition = {
            type,
            status: 'True',
            reason: `Auto${type}`,
            message,
            lastUpdateTime: now,
            lastTransitionTime: now,
          };
          draft.status = { ...draft.status, conditions: [...(draft.status?.conditions ?? []), condition] };
          await o.client.update(certificateSigningRequest, draft, { subresource: 'approval', signal: o.signal });
        };
        const approve = (request: RequestView, message: string, o: Calling): Promise<void> => decide(request, 'Approved', message, o);
        return async (key, { client, signal, log }) => {
          const request = informer.get(key);
          if (request === undefined || isApproved(request) || isDenied(request) || hasFailed(request)) return;
          const { signerName, username, usages = [] } = request.spec;
          if (signerName !== kubeletClientSigner && signerName !== kubeletServingSigner && signerName !== clientSigner) return;
          const { parseCertificateRequest } = await import('../certificates/certificate-request.ts');
          const { identity } = await parseCertificateRequest(request.spec.request);
          const reason = refusal(signerName, identity, usages);
          if (reason !== undefined) {
            log.info({ reason }, 'not approved');
            return;
          }
          if (signerName === clientSigner) {
            if (isProxyIdentity(identity, usages) && (await isAllowed(client, request, { subresource: 'nodeproxyclient', signal })))
              await approve(request, 'Auto approving client certificate of a host’s proxy after SubjectAccessReview.', { client, signal });
            return;
          }
          if (signerName === kubeletServingSigner) {
            if (username === identity.commonName && isOwnServing(identity, nodeInformer.list()))
              await approve(request, 'Auto approving kubelet serving certificate for the addresses of its own Node.', { client, signal });
            return;
          }
          const self = username === identity.commonName;
          if (self && (await isAllowed(client, request, { subresource: 'selfnodeclient', signal })))
            return await approve(request, 'Auto approving self kubelet client certificate after SubjectAccessReview.', { client, signal });
          if (await isAllowed(client, request, { subresource: 'nodeclient', signal })) {
            const name = nodeNameOf(identity);
            if (isLiveNode(name, nodeInformer.list()))
              return await decide(request, 'Denied', `Node ${name} is Ready: its identity is in use.`, { client, signal });
            return await approve(request, 'Auto approving kubelet client certificate after SubjectAccessReview.', { client, signal });
          }
          log.info({ username }, 'the requester may not have a kubelet client certificate');
        };
      },
    }),
};
