import type { Secret } from '../../generated/types/core-v1.ts';

/** `stringData` is write-only: it goes into `data`, base64-encoded, and wins over what is there. */
export function defaultSecret(secret: Secret): void {
  secret.type ||= 'Opaque';
  if (secret.stringData === undefined) return;
  const data = { ...secret.data };
  for (const [key, value] of Object.entries(secret.stringData)) data[key] = Buffer.from(value, 'utf8').toString('base64');
  secret.data = data;
  delete secret.stringData;
}
