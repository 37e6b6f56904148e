import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto';
import nacl from 'tweetnacl';

/** One way to keep a value in the store, with one key. Formats are upstream's, byte for byte. */
export interface Transformer {
  /** What values kept this way begin with; '' = as they are. */
  readonly prefix: Buffer;
  /** `data` is what follows the prefix, `context` the key in the store. Throws when it can't be read. */
  read(data: Buffer, context: string): Buffer;
  write(value: Uint8Array, context: string): Buffer;
}

/** Every value that is not kept as it is begins so. */
export const encryptedPrefix = Buffer.from('k8s:enc:');
export const isEncrypted = (value: Buffer): boolean => value.subarray(0, encryptedPrefix.length).equals(encryptedPrefix);

const gcmNonceBytes = 12;
const gcmTagBytes = 16;
const cbcBlockBytes = 16;

const prefixFor = (provider: string, name: string): Buffer => Buffer.from(`k8s:enc:${provider}:v1:${name}:`);
const tooShort = (): Error => new Error('the stored data was shorter than the required size');

/** Values are kept for long: none may hold on to a larger buffer. */
function own(...pieces: readonly Buffer[]): Buffer {
  const out = Buffer.allocUnsafeSlow(pieces.reduce((sum, p) => sum + p.length, 0));
  let at = 0;
  for (const piece of pieces) at += piece.copy(out, at);
  return out;
}

/** AES-GCM: nonce, ciphertext, tag; bound to the place in the store. */
export function aesGcm(name: string, key: Buffer): Transformer {
  const cipher = `aes-${key.length * 8}-gcm` as 'aes-256-gcm';
  return {
    prefix: prefixFor('aesgcm', name),
    read: (data, context) => {
      if (data.length < gcmNonceBytes + gcmTagBytes) throw tooShort();
      const decipher = createDecipheriv(cipher, key, data.subarray(0, gcmNonceBytes));
      decipher.setAAD(Buffer.from(context));
      decipher.setAuthTag(data.subarray(-gcmTagBytes));
      return own(decipher.update(data.subarray(gcmNonceBytes, -gcmTagBytes)), decipher.final());
    },
    write: (value, context) => {
      const nonce = randomBytes(gcmNonceBytes);
      const encipher = createCipheriv(cipher, key, nonce);
      encipher.setAAD(Buffer.from(context));
      return Buffer.concat([nonce, encipher.update(value), encipher.final(), encipher.getAuthTag()]);
    },
  };
}

/** AES-CBC: initialization vector, then the padded ciphertext. Nothing tells whether it was changed. */
export function aesCbc(name: string, key: Buffer): Transformer {
  const cipher = `aes-${key.length * 8}-cbc`;
  return {
    prefix: prefixFor('aescbc', name),
    read: (data) => {
      if (data.length < 2 * cbcBlockBytes) throw tooShort();
      const decipher = createDecipheriv(cipher, key, data.subarray(0, cbcBlockBytes));
      return own(decipher.update(data.subarray(cbcBlockBytes)), decipher.final());
    },
    write: (value) => {
      const iv = randomBytes(cbcBlockBytes);
      const encipher = createCipheriv(cipher, key, iv);
      return Buffer.concat([iv, encipher.update(value), encipher.final()]);
    },
  };
}

/** XSalsa20 and Poly1305: nonce, then NaCl's box. */
export function secretbox(name: string, key: Buffer): Transformer {
  const { nonceLength, overheadLength } = nacl.secretbox;
  return {
    prefix: prefixFor('secretbox', name),
    read: (data) => {
      if (data.length < nonceLength + overheadLength) throw tooShort();
      const opened = nacl.secretbox.open(data.subarray(nonceLength), data.subarray(0, nonceLength), key);
      if (!opened) throw new Error('the stored data could not be opened with this key');
      return Buffer.from(opened.buffer, opened.byteOffset, opened.byteLength);
    },
    write: (value, _context) => {
      const nonce = randomBytes(nonceLength);
      return Buffer.concat([nonce, nacl.secretbox(value, nonce, key)]);
    },
  };
}

/** As it is. What was encrypted is not taken for that. */
export const identity: Transformer = {
  prefix: Buffer.alloc(0),
  read: (data) => {
    if (isEncrypted(data)) throw new Error('identity transformer tried to read encrypted data');
    return data;
  },
  write: (value) => Buffer.from(value.buffer, value.byteOffset, value.byteLength),
};

/** The ways to keep the values of a resource: the first is written, all are read. */
export type TransformerChain = readonly [Transformer, ...Transformer[]];

/** `isStale`: it would be written in another way now. Throws when no way fits. */
export function readThrough(chain: TransformerChain, stored: Buffer, context: string): { value: Buffer; isStale: boolean } {
  let failure: Error | undefined;
  for (const [i, { prefix, read }] of chain.entries()) {
    if (!stored.subarray(0, prefix.length).equals(prefix)) continue;
    try {
      return { value: read(stored.subarray(prefix.length), context), isStale: i > 0 };
    } catch (error) {
      if (prefix.length > 0) failure ??= error as Error;
    }
  }
  throw failure ?? new Error('no matching prefix found');
}

export function writeThrough([first]: TransformerChain, value: Uint8Array, context: string): Buffer {
  return first.prefix.length === 0 ? first.write(value, context) : Buffer.concat([first.prefix, first.write(value, context)]);
}
