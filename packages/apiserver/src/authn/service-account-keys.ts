import { createHash, createPrivateKey, createPublicKey, type KeyObject } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import type { ServiceAccountConfig } from '../config.ts';
import type { VerificationKey } from './service-account-token.ts';

export interface SigningKey {
  readonly kid: string;
  readonly key: KeyObject;
  /** ES256 for P-256 and so on, RS256 for RSA. */
  readonly algorithm: string;
}

export interface ServiceAccountKeys {
  readonly signing: SigningKey | undefined;
  readonly verification: readonly VerificationKey[];
}

/** Upstream's key id: the SHA-256 of the public key's DER form. */
const keyId = (key: KeyObject): string =>
  createHash('sha256')
    .update(key.export({ type: 'spki', format: 'der' }))
    .digest('base64url');

/** All keys of a PEM file as public keys. Throws when there is none. */
export function parsePublicKeys(pem: string, file: string): readonly VerificationKey[] {
  const blocks =
    pem.match(/-----BEGIN (?:[A-Z]+ )?(?:PUBLIC|PRIVATE) KEY-----[\s\S]+?-----END (?:[A-Z]+ )?(?:PUBLIC|PRIVATE) KEY-----/g) ?? [];
  if (blocks.length === 0) throw new Error(`${file} holds no key`);
  return blocks.map((block) => {
    const key = createPublicKey(block);
    return { kid: keyId(key), key };
  });
}

function algorithmOf(key: KeyObject): string {
  if (key.asymmetricKeyType === 'rsa') return 'RS256';
  const curve = key.asymmetricKeyDetails?.namedCurve;
  const algorithm = { prime256v1: 'ES256', secp384r1: 'ES384', secp521r1: 'ES512' }[curve ?? ''];
  if (algorithm === undefined)
    throw new Error(`service account signing key: ${key.asymmetricKeyType ?? 'unknown'} keys ${curve ?? ''} are not supported`);
  return algorithm;
}

/** Reads the key files. The signing key verifies as well. */
export async function readServiceAccountKeys(config: ServiceAccountConfig): Promise<ServiceAccountKeys> {
  const byKid = new Map<string, VerificationKey>();
  const add = (keys: readonly VerificationKey[]): void => {
    for (const k of keys) byKid.set(k.kid, k);
  };
  let signing: SigningKey | undefined;
  if (config.signingKeyFile !== undefined) {
    const pem = await readFile(config.signingKeyFile, 'utf8');
    const key = createPrivateKey(pem);
    add(parsePublicKeys(pem, config.signingKeyFile));
    signing = { kid: keyId(createPublicKey(key)), key, algorithm: algorithmOf(key) };
  }
  for (const file of config.keyFiles) add(parsePublicKeys(await readFile(file, 'utf8'), file));
  return { signing, verification: [...byKid.values()] };
}
