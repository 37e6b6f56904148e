import { randomUUID } from 'node:crypto';
import { node, pod, secret, serviceAccount, type Node, type Pod, type Secret, type ServiceAccount, type TokenRequest } from '@skiff/api';
import {
  badRequest,
  conflict,
  FieldErrors,
  invalid,
  type KubeObject,
  notFound,
  parseGroupVersion,
  type ResourceDefinition,
  StatusError,
} from '@skiff/apimachinery';
import { type Clock, formatTime } from '@skiff/component-base';
import { SignJWT } from 'jose';
import type { SigningKey } from '../authn/service-account-keys.ts';
import { type PrivateClaims, serviceAccountUserName } from '../authn/service-account-token.ts';
import type { ServiceAccountConfig } from '../config.ts';
import type { AuditAnnotations, ObjectAccess } from '../contract.ts';

const group = 'authentication.k8s.io';
const kind = 'TokenRequest';
const minimumSeconds = 600;
const maximumSeconds = 2 ** 32;
const defaultSeconds = 3600;
/** What the kubelet asks for the pods' own tokens; such tokens live for a year, and warn after an hour (KEP-1205). */
const extendedAskedSeconds = 3607;
const yearSeconds = 365 * 24 * 3600;

interface Bound {
  readonly pod?: { readonly name: string; readonly uid: string };
  readonly secret?: { readonly name: string; readonly uid: string };
  readonly node?: { readonly name: string; readonly uid: string };
}

export interface TokenRequestDeps {
  readonly objects: ObjectAccess;
  readonly signingKey: SigningKey | undefined;
  readonly clock: Clock;
}

const referenceTo = (o: { metadata?: KubeObject['metadata'] }): { name: string; uid: string } => ({
  name: o.metadata?.name ?? '',
  uid: o.metadata?.uid ?? '',
});

/** Signs a token for a ServiceAccount: `serviceaccounts/token`. Throws as upstream for unknown accounts and bindings that don't fit. */
export async function issueToken(
  config: ServiceAccountConfig,
  deps: TokenRequestDeps,
  r: { request: TokenRequest; namespace: string; name: string; warnings: string[]; audit?: AuditAnnotations | undefined },
): Promise<TokenRequest> {
  const { request, namespace, name } = r;
  const { objects, signingKey, clock } = deps;
  if (signingKey === undefined) throw new StatusError('NotFound', 'the server could not find the requested resource', { details: {} });
  const errors = new FieldErrors();
  const metadata = request.metadata ?? {};
  if ((metadata.name ?? '') !== '' && metadata.name !== name)
    errors.invalid('metadata.name', metadata.name, 'must match the service account name if specified');
  if ((metadata.namespace ?? '') !== '' && metadata.namespace !== namespace) {
    errors.invalid('metadata.namespace', metadata.namespace, 'must match the service account namespace if specified');
  }
  if (!errors.empty) throw invalid({ group, kind }, name, errors.list);

  const account =
    objects.get<ServiceAccount>(serviceAccount, namespace, name) ?? (await objects.read<ServiceAccount>(serviceAccount, namespace, name));
  if (account === undefined) throw notFound({ group: '', resource: 'serviceaccounts' }, name);
  const uid = account.metadata?.uid ?? '';
  if ((metadata.uid ?? '') !== '' && metadata.uid !== uid) {
    throw conflict(
      { group, resource: kind },
      name,
      `the UID in the token request (${metadata.uid ?? ''}) does not match the UID of the service account (${uid})`,
    );
  }

  const spec = request.spec ?? { audiences: [] };
  const audiences = (spec.audiences ?? []).length > 0 ? [...(spec.audiences ?? [])] : [...config.audiences];
  let seconds = spec.expirationSeconds ?? defaultSeconds;
  if (seconds < minimumSeconds) errors.invalid('spec.expirationSeconds', seconds, 'may not specify a duration less than 10 minutes');
  if (seconds > maximumSeconds) errors.invalid('spec.expirationSeconds', seconds, 'may not specify a duration larger than 2^32 seconds');
  if (!errors.empty) throw invalid({ group, kind }, '', errors.list);

  const bound = await resolveBinding(objects, request, namespace, name);
  const longest = config.maxExpirationSeconds;
  if (longest !== undefined && seconds > longest) {
    r.warnings.push(`requested expiration of ${seconds} seconds shortened to ${longest} seconds`);
    seconds = longest;
  }
  const extended = bound.pod !== undefined && seconds === extendedAskedSeconds && audiences.every((a) => config.audiences.includes(a));
  const nowSeconds = Math.floor(clock.now() / 1000);
  const claims: PrivateClaims = {
    namespace,
    serviceaccount: { name, uid },
    ...bound,
    ...(extended ? { warnafter: nowSeconds + seconds } : {}),
  };
  const id = randomUUID();
  r.audit?.annotate('authentication.kubernetes.io/issued-credential-id', `JTI=${id}`);
  const token = await new SignJWT({ 'kubernetes.io': claims })
    .setProtectedHeader({ alg: signingKey.algorithm, kid: signingKey.kid })
    .setIssuer(config.issuers[0])
    .setSubject(serviceAccountUserName(namespace, name))
    .setAudience(audiences)
    .setIssuedAt(nowSeconds)
    .setNotBefore(nowSeconds)
    .setExpirationTime(nowSeconds + (extended ? yearSeconds : seconds))
    .setJti(id)
    .sign(signingKey.key);
  return {
    ...request,
    metadata: { ...metadata, name, namespace, uid, creationTimestamp: formatTime(clock.now()) },
    spec: { ...spec, audiences, expirationSeconds: seconds },
    status: { token, expirationTimestamp: formatTime(clock.now() + seconds * 1000) },
  };
}

async function resolveBinding(objects: ObjectAccess, request: TokenRequest, namespace: string, account: string): Promise<Bound> {
  const ref = request.spec?.boundObjectRef;
  if (ref === undefined || ref === null) return {};
  const gv = parseGroupVersion(ref.apiVersion ?? '');
  const find = async <T extends KubeObject>(definition: ResourceDefinition<T>, ns: string): Promise<T> => {
    const found = await objects.read<T>(definition, ns, ref.name ?? '');
    if (found === undefined) throw notFound({ group: '', resource: definition.plural }, ref.name ?? '');
    const uid = found.metadata?.uid ?? '';
    if ((ref.uid ?? '') !== '' && ref.uid !== uid) {
      const why = `the UID in the bound object reference (${ref.uid ?? ''}) does not match the UID in record. The object might have been deleted and then recreated`;
      throw conflict({ group: '', resource: ref.kind ?? '' }, ref.name ?? '', why);
    }
    return found;
  };
  if (gv.group === '' && ref.kind === 'Pod') {
    const found = await find<Pod>(pod, namespace);
    if (found.spec?.serviceAccountName !== account) {
      throw badRequest(
        `cannot bind token for serviceaccount ${JSON.stringify(account)} to pod running with different serviceaccount name.`,
      );
    }
    const nodeName = found.spec.nodeName ?? '';
    if (nodeName === '') return { pod: referenceTo(found) };
    return { pod: referenceTo(found), node: { name: nodeName, uid: objects.get<Node>(node, '', nodeName)?.metadata?.uid ?? '' } };
  }
  if (gv.group === '' && ref.kind === 'Secret') return { secret: referenceTo(await find<Secret>(secret, namespace)) };
  if (gv.group === '' && ref.kind === 'Node') return { node: referenceTo(await find<Node>(node, '')) };
  const shown = gv.group === '' ? `/${gv.version}, Kind=${ref.kind ?? ''}` : `${gv.group}/${gv.version}, Kind=${ref.kind ?? ''}`;
  throw badRequest(`cannot bind token to object of type ${shown}`);
}
