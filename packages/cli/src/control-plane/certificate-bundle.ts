import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import { UserError } from '../user-error.ts';

/** Files of the control plane by their paths below `pki/`, and other texts. */
export type Bundle = Readonly<Record<string, string>>;

const keyBytes = 32;
const nonceBytes = 12;
const tagBytes = 16;

/** What decrypts a bundle; printed once and kept nowhere. */
export const generateCertificateKey = (): string => randomBytes(keyBytes).toString('hex');

function parseKey(text: string): Buffer {
  if (!/^[0-9a-f]{64}$/i.test(text))
    throw new UserError('--certificate-key takes 64 hexadecimal digits, as `skiff token create --control-plane` prints them.', 'usage');
  return Buffer.from(text, 'hex');
}

/** Secrets' keys take no slash. */
const fieldOf = (path: string): string => path.replaceAll('/', '_');

/** AES-256-GCM, a nonce for each entry; its name is authenticated too, so that entries can't be swapped. Values are base64, as in a Secret. */
export function encryptBundle(bundle: Bundle, keyText: string): Readonly<Record<string, string>> {
  const key = parseKey(keyText);
  return Object.fromEntries(
    Object.entries(bundle).map(([path, text]) => {
      const field = fieldOf(path);
      const nonce = randomBytes(nonceBytes);
      const cipher = createCipheriv('aes-256-gcm', key, nonce).setAAD(Buffer.from(field));
      const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()]);
      return [field, Buffer.concat([nonce, body, cipher.getAuthTag()]).toString('base64')];
    }),
  );
}

/** The entries of `paths`. Throws UserError when one is absent or the key is not the one. */
export function decryptBundle(data: Readonly<Record<string, string>>, keyText: string, paths: readonly string[]): Bundle {
  const key = parseKey(keyText);
  return Object.fromEntries(
    paths.map((path) => {
      const field = fieldOf(path);
      const bytes = Buffer.from(data[field] ?? '', 'base64');
      if (bytes.length < nonceBytes + tagBytes)
        throw new UserError(`The cluster hands over no ${path}; make a new key there: skiff token create --control-plane`, 'refused');
      const decipher = createDecipheriv('aes-256-gcm', key, bytes.subarray(0, nonceBytes)).setAAD(Buffer.from(field));
      decipher.setAuthTag(bytes.subarray(-tagBytes));
      try {
        const text = Buffer.concat([decipher.update(bytes.subarray(nonceBytes, -tagBytes)), decipher.final()]).toString('utf8');
        return [path, text];
      } catch {
        throw new UserError('The certificate key is not the one that the certificates were encrypted with last.', 'refused');
      }
    }),
  );
}
