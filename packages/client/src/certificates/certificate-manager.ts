import { type Clock, type Logger, readCertificateFile, type StoredCertificate, writeCertificateFile } from '@skiff/component-base';
import type { ClientConfig } from '../client-config.ts';
import type { Client } from '../contract.ts';
import type { CertificateIdentity } from './pkcs10.ts';
import { requestCertificate } from './request-certificate.ts';

export interface CertificateManager {
  /** Keeps the certificate fresh until `signal` aborts. Failures are logged and tried again. */
  run(signal: AbortSignal): Promise<void>;
}

export interface CertificateManagerConfig {
  /** Key and certificate lie here; read at every turn, so that another may replace it. */
  readonly file: string;
  readonly signerName: string;
  readonly identity: CertificateIdentity;
}

/** Kubelets renew between these shares of a certificate's life, so that those made at one time are not renewed at one time. */
const earliestShare = 0.7;
const latestShare = 0.9;
/** Timers can't be longer than 24 days, and clocks are set. */
const longestNapMs = 3_600_000;
const requestTimeoutMs = 15 * 60_000;
const backoff = { initialMs: 1_000, maxMs: 60_000 };

/** When a certificate is to be renewed; milliseconds since the epoch. `jitter`: 0 to 1. */
export function renewalTimeMs(stored: Pick<StoredCertificate, 'notBeforeMs' | 'notAfterMs' | 'storedAtMs'>, jitter: number): number {
  // Counted from when it came: the five minutes that signers date back would be most of a short life.
  const startMs = Math.min(Math.max(stored.notBeforeMs, stored.storedAtMs), stored.notAfterMs);
  return startMs + (stored.notAfterMs - startMs) * (earliestShare + (latestShare - earliestShare) * jitter);
}

const subjectOf = (identity: CertificateIdentity): string =>
  [...identity.organizations.map((o) => `O=${o}`), `CN=${identity.commonName}`].join('\n');

/** Whether a certificate says who `identity` is, under all its names. */
export const isCertificateFor = (stored: Pick<StoredCertificate, 'subject' | 'names'>, identity: CertificateIdentity): boolean =>
  stored.subject === subjectOf(identity) &&
  [...(identity.dnsNames ?? []), ...(identity.ipAddresses ?? [])].every((name) => stored.names.includes(name));

/**
 * Gets a certificate when there is none for the identity and renews it at 70 to 90 % of its life, through the API's certificate
 * requests. `changed` is told of each new one, after it was written.
 */
export function createCertificateManager(
  config: CertificateManagerConfig,
  deps: { client: Client; clock: Clock; log: Logger; random?: () => number; changed?: (pem: string) => void },
): CertificateManager {
  const { clock, log } = deps;
  const { identity } = config;
  const random = deps.random ?? Math.random;
  let jitter = { of: 0, value: 0 };

  const nap = async (ms: number, signal: AbortSignal): Promise<void> => {
    await clock.sleep(Math.min(ms, longestNapMs), signal).catch(() => undefined);
  };
  const dueAtMs = (): number => {
    const stored = readCertificateFile(config.file);
    if (stored === undefined || !isCertificateFor(stored, identity)) return 0;
    if (jitter.of !== stored.storedAtMs) jitter = { of: stored.storedAtMs, value: random() };
    return renewalTimeMs(stored, jitter.value);
  };

  return {
    run: async (signal) => {
      let delayMs = backoff.initialMs;
      while (!signal.aborted) {
        const leftMs = dueAtMs() - clock.now();
        if (leftMs > 0) {
          await nap(leftMs, signal);
          continue;
        }
        try {
          const order = { signerName: config.signerName, identity };
          const pem = await requestCertificate(order, { client: deps.client, signal, timeoutMs: requestTimeoutMs });
          writeCertificateFile(config.file, pem);
          log.info({ signer: config.signerName, subject: subjectOf(identity) }, 'certificate renewed');
          delayMs = backoff.initialMs;
          deps.changed?.(pem);
          // Close to the end of the authority each lives shorter than the one before.
          await nap(backoff.initialMs, signal);
        } catch (error) {
          if (signal.aborted) return;
          log.warn({ err: error, signer: config.signerName }, 'a certificate could not be renewed; trying again');
          await nap(delayMs * (1 + random() * 0.2), signal);
          delayMs = Math.min(delayMs * 2, backoff.maxMs);
        }
      }
    },
  };
}

/** The file of a client's certificate where key and certificate are one: only such a pair can be replaced at once. */
function rotatableFile({ clientCertificate: certificate, clientKey: key }: ClientConfig): string | undefined {
  if (certificate === undefined || key === undefined || !('file' in certificate) || !('file' in key)) return undefined;
  return certificate.file === key.file ? certificate.file : undefined;
}

/**
 * Renews the certificate with which a process is known to the API, until `signal` aborts. The client takes up what lies in the
 * file. Resolves at once, with a word in the log, where the kubeconfig names no one file with key and certificate.
 */
export async function keepClientCertificate(
  o: { config: ClientConfig; signerName: string; identity: CertificateIdentity },
  deps: { client: Client; clock: Clock; log: Logger },
  signal: AbortSignal,
): Promise<void> {
  const file = rotatableFile(o.config);
  if (file === undefined) {
    deps.log.info('the client certificate is not renewed: the kubeconfig names no one file with key and certificate');
    return;
  }
  await createCertificateManager({ file, signerName: o.signerName, identity: o.identity }, deps).run(signal);
}
