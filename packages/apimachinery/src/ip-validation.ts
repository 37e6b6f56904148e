import type { FieldErrors } from './field-error.ts';

/** An address as 16 bytes worth of groups for IPv6, or 4 bytes for IPv4. */
export interface IPAddressValue {
  readonly family: 4 | 6;
  readonly bytes: readonly number[];
  /** Written `::ffff:a.b.c.d`: family is 4, as Go's net.IP has it. */
  readonly mapped: boolean;
  /** Had numbers with leading zeros, which only the legacy parser takes. */
  readonly leadingZeros: boolean;
}

function parseIPv4(text: string): { bytes: number[]; leadingZeros: boolean } | undefined {
  const parts = text.split('.');
  if (parts.length !== 4 || !parts.every((p) => /^\d+$/.test(p))) return undefined;
  const bytes = parts.map(Number);
  if (bytes.some((b) => b > 255)) return undefined;
  return { bytes, leadingZeros: parts.some((p) => p.length > 1 && p.startsWith('0')) };
}

function parseGroups(text: string): { bytes: number[]; leadingZeros: boolean } | undefined {
  if (text === '') return { bytes: [], leadingZeros: false };
  const parts = text.split(':');
  const last = parts.at(-1) ?? '';
  const embedded = last.includes('.') ? parseIPv4(last) : undefined;
  if (last.includes('.')) {
    if (embedded === undefined) return undefined;
    parts.pop();
  }
  if (!parts.every((p) => /^[0-9a-fA-F]{1,4}$/.test(p))) return undefined;
  const bytes = parts.flatMap((p) => [Number.parseInt(p, 16) >> 8, Number.parseInt(p, 16) & 255]);
  return { bytes: [...bytes, ...(embedded?.bytes ?? [])], leadingZeros: embedded?.leadingZeros ?? false };
}

/** Go's net.ParseIP with the leading zeros that it took before 1.17; undefined when it is no address. No zones. */
export function parseIP(text: string): IPAddressValue | undefined {
  if (!text.includes(':')) {
    const v4 = parseIPv4(text);
    return v4 && { family: 4, mapped: false, ...v4 };
  }
  const halves = text.split('::');
  if (halves.length > 2) return undefined;
  const head = parseGroups(halves[0] ?? '');
  const tail = halves.length === 2 ? parseGroups(halves[1] ?? '') : { bytes: [], leadingZeros: false };
  if (head === undefined || tail === undefined) return undefined;
  const length = head.bytes.length + tail.bytes.length;
  if (halves.length === 2 ? length > 14 : length !== 16) return undefined;
  const bytes = [...head.bytes, ...Array.from({ length: 16 - length }, () => 0), ...tail.bytes];
  const leadingZeros = head.leadingZeros || tail.leadingZeros;
  const mapped = bytes.slice(0, 10).every((b) => b === 0) && bytes[10] === 255 && bytes[11] === 255;
  return mapped ? { family: 4, bytes: bytes.slice(12), mapped, leadingZeros } : { family: 6, bytes, mapped, leadingZeros };
}

/** RFC 5952 for IPv6, dotted for IPv4: Go's net.IP.String. */
export function formatIP(ip: Pick<IPAddressValue, 'family' | 'bytes'>): string {
  if (ip.family === 4) return ip.bytes.join('.');
  const groups = Array.from({ length: 8 }, (_, i) => ((ip.bytes[2 * i] ?? 0) << 8) | (ip.bytes[2 * i + 1] ?? 0));
  let start = -1;
  let length = 1;
  for (let i = 0; i < 8; i++) {
    let run = 0;
    while (i + run < 8 && groups[i + run] === 0) run++;
    if (run > length) [start, length] = [i, run];
  }
  const hex = (part: number[]): string => part.map((g) => g.toString(16)).join(':');
  return start < 0 ? hex(groups) : `${hex(groups.slice(0, start))}::${hex(groups.slice(start + length))}`;
}

export interface CIDRValue {
  readonly ip: IPAddressValue;
  /** Network address: host bits are zero. */
  readonly network: IPAddressValue;
  readonly prefixLength: number;
  readonly leadingZeros: boolean;
}

export function parseCIDR(text: string): CIDRValue | undefined {
  const slash = text.indexOf('/');
  if (slash < 0) return undefined;
  const ip = parseIP(text.slice(0, slash));
  const digits = text.slice(slash + 1);
  if (ip === undefined || !/^\d+$/.test(digits)) return undefined;
  const written = Number(digits);
  const bits = text.slice(0, slash).includes(':') ? 128 : 32;
  if (written > bits) return undefined;
  const prefixLength = ip.mapped ? Math.max(0, written - 96) : written;
  const bytes = ip.bytes.map((byte, i) => {
    const kept = Math.min(8, Math.max(0, prefixLength - 8 * i));
    return byte & (0xff << (8 - kept)) & 0xff;
  });
  const leadingZeros = ip.leadingZeros || (digits.length > 1 && digits.startsWith('0'));
  return { ip, network: { ...ip, bytes }, prefixLength, leadingZeros };
}

export const formatCIDR = (cidr: CIDRValue): string => `${formatIP(cidr.network)}/${cidr.prefixLength}`;
export const isIPv6 = (text: string): boolean => parseIP(text)?.family === 6;

const equalBytes = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((v, i) => v === b[i]);

function checkIP(text: string, path: string, errors: FieldErrors): IPAddressValue | undefined {
  const ip = parseIP(text);
  if (ip === undefined) {
    errors.invalid(path, text, 'must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)');
    return undefined;
  }
  const before = errors.list.length;
  if (ip.leadingZeros) errors.invalid(path, text, 'must not have leading 0s');
  if (ip.mapped) errors.invalid(path, text, 'must not be an IPv4-mapped IPv6 address');
  return errors.list.length === before ? ip : undefined;
}

/** Address fields of GA APIs: any spelling but leading zeros and mapped addresses; what was stored before stays valid. */
export function validateLegacyIP(text: string, path: string, errors: FieldErrors, stored: readonly string[] = []): void {
  if (!stored.includes(text)) checkIP(text, path, errors);
}

/** Address fields of newer APIs: the canonical spelling only. */
export function validateIP(text: string, path: string, errors: FieldErrors): void {
  const ip = checkIP(text, path, errors);
  if (ip !== undefined && formatIP(ip) !== text) errors.invalid(path, text, `must be in canonical form (${JSON.stringify(formatIP(ip))})`);
}

function checkCIDR(text: string, path: string, errors: FieldErrors): CIDRValue | undefined {
  const cidr = parseCIDR(text);
  if (cidr === undefined) {
    errors.invalid(path, text, 'must be a valid CIDR value, (e.g. 10.9.8.0/24 or 2001:db8::/64)');
    return undefined;
  }
  if (cidr.leadingZeros) errors.invalid(path, text, 'must not have leading 0s in IP or prefix length');
  else if (cidr.ip.mapped) errors.invalid(path, text, 'must not have an IPv4-mapped IPv6 address');
  else if (!equalBytes(cidr.ip.bytes, cidr.network.bytes)) errors.invalid(path, text, 'must not have bits set beyond the prefix length');
  else return cidr;
  return undefined;
}

export function validateLegacyCIDR(text: string, path: string, errors: FieldErrors, stored: readonly string[] = []): void {
  if (!stored.includes(text)) checkCIDR(text, path, errors);
}

export function validateCIDR(text: string, path: string, errors: FieldErrors): void {
  const cidr = checkCIDR(text, path, errors);
  if (cidr !== undefined && formatCIDR(cidr) !== text) {
    errors.invalid(path, text, `must be in canonical form (${JSON.stringify(formatCIDR(cidr))})`);
  }
}

/** Warnings for addresses that are stored but not spelled canonically. */
export function warningsForIP(text: string, path: string): string[] {
  const ip = parseIP(text);
  if (ip === undefined) return [];
  if (ip.leadingZeros || ip.mapped) return [`${path}: non-standard IP address ${JSON.stringify(text)} is invalid: use "${formatIP(ip)}"`];
  return formatIP(ip) === text
    ? []
    : [`${path}: IPv6 address ${JSON.stringify(text)} should be in RFC 5952 canonical format ("${formatIP(ip)}")`];
}

export function warningsForCIDR(text: string, path: string): string[] {
  const cidr = parseCIDR(text);
  if (cidr === undefined) return [];
  const warnings: string[] = [];
  const quoted = JSON.stringify(text);
  if (!equalBytes(cidr.ip.bytes, cidr.network.bytes)) {
    const single = `${formatIP(cidr.ip)}/${cidr.ip.family === 4 ? 32 : 128}`;
    warnings.push(`${path}: CIDR value ${quoted} is ambiguous in this context (should be "${formatCIDR(cidr)}" or "${single}"?)`);
  }
  if (cidr.leadingZeros || cidr.ip.mapped) {
    warnings.push(`${path}: non-standard CIDR value ${quoted} is invalid: use "${formatCIDR(cidr)}"`);
  }
  if (warnings.length === 0 && cidr.ip.family === 6 && formatCIDR(cidr) !== text) {
    warnings.push(`${path}: IPv6 CIDR value ${quoted} should be in RFC 5952 canonical format ("${formatCIDR(cidr)}")`);
  }
  return warnings;
}
