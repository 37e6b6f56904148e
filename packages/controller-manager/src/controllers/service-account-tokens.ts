import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { secret as secrets, type Secret, serviceAccount, type ServiceAccount } from '@skiff/api';
import type { DeepReadonly } from '@skiff/apimachinery';
import { hasReason } from '@skiff/apimachinery';
import { defineController, type InformerOptions, mapped, primary } from '@skiff/client';
import { SignJWT } from 'jose';
import type { ControllerDescriptor } from '../descriptor.ts';

const tokenType = 'kubernetes.io/service-account-token';
const nameAnnotation = 'kubernetes.io/service-account.name';
const uidAnnotation = 'kubernetes.io/service-account.uid';
const claim = 'kubernetes.io/serviceaccount';
const tokenSecrets: InformerOptions = { fieldSelector: `type=${tokenType}` };

type TokenSecret = DeepReadonly<Secret>;

interface Signer {
  sign(account: DeepReadonly<ServiceAccount>, secretName: string): Promise<string>;
}

function algorithmOf(key: KeyObject): string {
  if (key.asymmetricKeyType === 'rsa') return 'RS256';
  const curve = key.asymmetricKeyDetails?.namedCurve ?? '';
  return { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }[curve] ?? 'ES256';
}

/** Tokens without an end, with upstream's claims. */
function createSigner(pem: string): Signer {
  const key = createPrivateKey(pem);
  const publicKey = createPublicKey(key).export({ type: 'spki', format: 'der' });
  const header = { alg: algorithmOf(key), kid: createHash('sha256').update(publicKey).digest('base64url') };
  return {
    sign: ({ metadata }, secretName) => {
      const [namespace, name, uid] = [metadata?.namespace ?? '', metadata?.name ?? '', metadata?.uid ?? ''];
      return new SignJWT({
        [`${claim}/namespace`]: namespace,
        [`${claim}/secret.name`]: secretName,
        [`${claim}/service-account.name`]: name,
        [`${claim}/service-account.uid`]: uid,
      })
        .setProtectedHeader(header)
        .setIssuer('kubernetes/serviceaccount')
        .setSubject(`system:serviceaccount:${namespace}:${name}`)
        .sign(key);
    },
  };
}

const base64 = (text: string): string => Buffer.from(text).toString('base64');
const accountOf = (s: TokenSecret): string => s.metadata?.annotations?.[nameAnnotation] ?? '';

/** What the Secret should have beside what it has. undefined: nothing. */
async function missingData(
  s: TokenSecret,
  o: { account: DeepReadonly<ServiceAccount>; rootCa: string | undefined; signer: Signer },
): Promise<Record<string, string> | undefined> {
  const data = s.data ?? {};
  const missing: Record<string, string> = {};
  if (o.rootCa !== undefined && data['ca.crt'] !== base64(o.rootCa)) missing['ca.crt'] = base64(o.rootCa);
  if (data['namespace'] === undefined) missing['namespace'] = base64(s.metadata?.namespace ?? '');
  if (data['token'] === undefined) missing['token'] = base64(await o.signer.sign(o.account, s.metadata?.name ?? ''));
  const hasUid = s.metadata?.annotations?.[uidAnnotation] === o.account.metadata?.uid;
  return Object.keys(missing).length === 0 && hasUid ? undefined : missing;
}

/** Fills Secrets of type service-account-token for the ServiceAccount that they name, and deletes them when it is gone. */
export const serviceAccountTokensController: ControllerDescriptor = {
  name: 'serviceaccount-token-controller',
  missing: ({ serviceAccountKey }) => (serviceAccountKey === undefined ? '--service-account-private-key-file' : undefined),
  define: ({ serviceAccountKey = '', rootCa }) =>
    defineController({
      name: 'serviceaccount-token-controller',
      concurrency: 5,
      sources: [
        primary(secrets, { options: tokenSecrets }),
        mapped(
          serviceAccount,
          (account, { informers }) =>
            informers
              .informer(secrets, tokenSecrets)
              .list(account.metadata?.namespace)
              .filter((s) => accountOf(s) === account.metadata?.name)
              .map((s) => `${s.metadata?.namespace ?? ''}/${s.metadata?.name ?? ''}`),
          { changed: (a, b) => a.metadata?.uid !== b.metadata?.uid },
        ),
      ],
      create: ({ informers }) => {
        const informer = informers.informer(secrets, tokenSecrets);
        const accounts = informers.informer(serviceAccount);
        const signer = createSigner(serviceAccountKey);
        return async (key, { client, signal, log }) => {
          const found = informer.get(key);
          if (found === undefined || found.metadata?.deletionTimestamp !== undefined || accountOf(found) === '') return;
          const at = { namespace: key.namespace ?? '', name: accountOf(found) };
          const uid = found.metadata?.annotations?.[uidAnnotation] ?? '';
          const is = (a: DeepReadonly<ServiceAccount> | undefined): boolean => a !== undefined && (uid === '' || a.metadata?.uid === uid);
          let account = accounts.get(at);
          if (!is(account)) {
            // The account may be newer than what is known here: only the server can say that it is gone.
            try {
              account = await client.get<ServiceAccount>(serviceAccount, at, { signal });
            } catch (error) {
              if (!hasReason(error, 'NotFound')) throw error;
              account = undefined;
            }
          }
          if (account === undefined || !is(account)) {
            log.info({ serviceAccount: at.name }, 'deleting the token of a ServiceAccount that is gone');
            try {
              await client.delete(secrets, key, { preconditions: { uid: found.metadata?.uid ?? '' }, signal });
            } catch (error) {
              if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
            }
            return;
          }
          const missing = await missingData(found, { account, rootCa, signer });
          if (missing === undefined) return;
          const annotations = { ...found.metadata?.annotations, [uidAnnotation]: account.metadata?.uid ?? '' };
          const next = structuredClone(found) as Secret;
          next.metadata = { ...next.metadata, annotations };
          next.data = { ...next.data, ...missing };
          try {
            await client.update(secrets, next, { signal });
          } catch (error) {
            if (!hasReason(error, 'NotFound') && !hasReason(error, 'Conflict')) throw error;
          }
        };
      },
    }),
};
