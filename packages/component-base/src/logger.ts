import { pino, type Logger as PinoLogger } from 'pino';

export type Logger = PinoLogger;

const secretKeys = ['authorization', 'token', 'password', 'data', 'stringData', 'privateKey', 'clientKey'];

/** JSON lines on stderr by pino; anything that may be secret is redacted by key at two depths. */
export function createLogger(name: string, level = 'info'): Logger {
  return pino(
    {
      name,
      level,
      base: { component: name },
      timestamp: pino.stdTimeFunctions.isoTime,
      redact: { paths: secretKeys.flatMap((k) => [k, `*.${k}`, `headers.${k}`]), censor: '[redacted]' },
    },
    pino.destination({ dest: 2, sync: false }),
  );
}

/** For tests and for callers without interest. */
export const silentLogger: Logger = pino({ level: 'silent' });
