import { X509Certificate } from 'node:crypto';
import { readFile, stat } from 'node:fs/promises';
import type { Clock, Logger } from '@skiff/component-base';

export interface TlsFileNames {
  readonly certFile: string;
  readonly keyFile: string;
  readonly clientCaFile: string | undefined;
  readonly requestHeaderCaFile: string | undefined;
}

/** Certificates of a CA file; a new value whenever the file's content changes, so it can serve as a cache key. */
export interface CaBundle {
  readonly pem: string;
  readonly certificates: readonly X509Certificate[];
}

export interface TlsMaterial {
  readonly cert: string;
  readonly key: string;
  readonly clientCa: CaBundle | undefined;
  readonly requestHeaderCa: CaBundle | undefined;
}

/** All certificates of a PEM file; other blocks are skipped. Throws when there is none. */
export function parseBundle(pem: string, file: string): CaBundle {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g) ?? [];
  if (blocks.length === 0) throw new Error(`${file} holds no certificate`);
  return { pem, certificates: blocks.map((block) => new X509Certificate(block)) };
}

async function readBundle(file: string | undefined, known: CaBundle | undefined): Promise<CaBundle | undefined> {
  if (file === undefined) return undefined;
  const pem = await readFile(file, 'utf8');
  return known?.pem === pem ? known : parseBundle(pem, file);
}

/** Reads everything; bundles that did not change keep their identity. Throws when a file is absent or broken. */
export async function readTlsFiles(names: TlsFileNames, known?: TlsMaterial): Promise<TlsMaterial> {
  const [cert, key, clientCa, requestHeaderCa] = await Promise.all([
    readFile(names.certFile, 'utf8'),
    readFile(names.keyFile, 'utf8'),
    readBundle(names.clientCaFile, known?.clientCa),
    readBundle(names.requestHeaderCaFile, known?.requestHeaderCa),
  ]);
  return { cert, key, clientCa, requestHeaderCa };
}

/** Looks at the files every `intervalMs` and hands over what changed; a broken file is logged and the old content stays. */
export async function followTlsFiles(
  names: TlsFileNames,
  first: TlsMaterial,
  o: { intervalMs: number; clock: Clock; log: Logger; signal: AbortSignal; changed: (material: TlsMaterial) => void },
): Promise<void> {
  const files = Object.values(names).filter((f): f is string => typeof f === 'string');
  const stamp = async (): Promise<string> => (await Promise.all(files.map(async (f) => (await stat(f)).mtimeMs))).join(' ');
  let seen = await stamp();
  let material = first;
  while (!o.signal.aborted) {
    try {
      await o.clock.sleep(o.intervalMs, o.signal);
    } catch {
      return;
    }
    try {
      const now = await stamp();
      if (now === seen) continue;
      const next = await readTlsFiles(names, material);
      seen = now;
      if (
        next.cert === material.cert &&
        next.key === material.key &&
        next.clientCa === material.clientCa &&
        next.requestHeaderCa === material.requestHeaderCa
      )
        continue;
      material = next;
      o.changed(next);
      o.log.info('certificate files changed; using the new ones');
    } catch (error) {
      o.log.error({ err: error }, 'certificate files could not be reloaded; keeping the old ones');
    }
  }
}
