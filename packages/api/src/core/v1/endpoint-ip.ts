import { type FieldErrors, formatIP, parseIP } from '@skiff/apimachinery';

/** Addresses that may stand behind a Service: none that means something else on every host. */
export function validateEndpointIP(text: string, path: string, errors: FieldErrors): void {
  const ip = parseIP(text);
  if (ip === undefined) return errors.invalid(path, text, 'must be a valid IP address');
  const [a = 0, b = 0, c = 0] = ip.bytes;
  const v4 = ip.family === 4;
  if (ip.bytes.every((byte) => byte === 0)) errors.invalid(path, text, `may not be unspecified (${text})`);
  if (v4 ? a === 127 : formatIP(ip) === '::1') errors.invalid(path, text, 'may not be in the loopback range (127.0.0.0/8, ::1/128)');
  if (v4 ? a === 169 && b === 254 : a === 0xfe && (b & 0xc0) === 0x80) {
    errors.invalid(path, text, 'may not be in the link-local range (169.254.0.0/16, fe80::/10)');
  }
  if (v4 ? a === 224 && b === 0 && c === 0 : a === 0xff && (b & 0x0f) === 2) {
    errors.invalid(path, text, 'may not be in the link-local multicast range (224.0.0.0/24, ff02::/10)');
  }
}
