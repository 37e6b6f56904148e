import { type CIDRValue, formatIP, type IPAddressValue, parseCIDR, parseIP } from '@skiff/apimachinery';
import { declare, type Run } from '../declare.ts';
import type { FunctionDeclaration } from '../environment.ts';
import { boolType, intType, type OpaqueType, stringType } from '../types.ts';
import { CelError, noSuchOverload, Opaque } from '../values.ts';

export const ipType: OpaqueType = { kind: 'opaque', name: 'net.IP', parameters: [] };
export const cidrType: OpaqueType = { kind: 'opaque', name: 'net.CIDR', parameters: [] };

type Address = Pick<IPAddressValue, 'family' | 'bytes'>;
const sameBytes = (a: readonly number[], b: readonly number[]): boolean => a.length === b.length && a.every((x, i) => x === b[i]);

export class IPValue extends Opaque {
  readonly type = ipType;
  readonly address: Address;
  constructor(address: Address) {
    super();
    this.address = address;
  }
  equals(other: Opaque): boolean {
    return other instanceof IPValue && sameBytes(this.address.bytes, other.address.bytes);
  }
  override get costSize(): number {
    return this.address.bytes.length;
  }
}
export class CIDRNetwork extends Opaque {
  readonly type = cidrType;
  readonly address: Address;
  readonly bits: number;
  constructor(address: Address, bits: number) {
    super();
    this.address = address;
    this.bits = bits;
  }
  equals(other: Opaque): boolean {
    return other instanceof CIDRNetwork && this.bits === other.bits && sameBytes(this.address.bytes, other.address.bytes);
  }
  override get costSize(): number {
    return Math.ceil(this.bits / 8);
  }
}

const quote = (s: string): string => JSON.stringify(s);

/** Why netip.ParseAddr refuses a text; IPv4 in its words, IPv6 in general. */
function addressError(text: string): string {
  const fail = (why: string): string => `ParseAddr(${quote(text)}): ${why}`;
  if (!/^[^:%]*\./.test(text)) return fail(/^[^.:]*%/.test(text) ? 'missing IPv6 address' : 'unable to parse IP');
  let at = 0;
  for (const [i, field] of text.split('.').entries()) {
    const bad = /[^0-9]/.exec(field);
    if (bad !== null) return `${fail('unexpected character')} (at ${quote(text.slice(at + bad.index))})`;
    if (field === '') return `${fail('IPv4 field must have at least one digit')} (at ${quote(text.slice(at))})`;
    if (field.length > 1 && field.startsWith('0')) return fail('IPv4 field has octet with leading zero');
    if (Number(field) > 255) return fail('IPv4 field has value >255');
    if (i > 3) return fail('IPv4 address too long');
    at += field.length + 1;
  }
  return fail('IPv4 address too short');
}

function toIP(text: string): IPValue | CelError {
  const zone = text.indexOf('%');
  const ip = parseIP(zone > 0 ? text.slice(0, zone) : text);
  if (ip === undefined || ip.leadingZeros || zone === text.length - 1 || (zone > 0 && ip.family === 4)) {
    return new CelError(`IP Address ${quote(text)} parse error during conversion from string: ${addressError(text)}`);
  }
  if (zone > 0) return new CelError(`IP address ${quote(text)} with zone value is not allowed`);
  if (ip.mapped) return new CelError(`IPv4-mapped IPv6 address ${quote(text)} is not allowed`);
  return new IPValue(ip);
}

function prefixError(text: string): string {
  const slash = text.lastIndexOf('/');
  if (slash < 0) return "no '/'";
  const address = parseIP(text.slice(0, slash));
  const bits = text.slice(slash + 1);
  if (address === undefined || address.leadingZeros) return addressError(text.slice(0, slash));
  return /^(0|[1-9]\d*)$/.test(bits) ? 'prefix length out of range' : `bad bits after slash: ${quote(bits)}`;
}
function toCIDR(text: string): CIDRNetwork | CelError {
  const prefix = 'network address parse error during conversion from string: ';
  const cidr: CIDRValue | undefined = parseCIDR(text);
  if (cidr === undefined || cidr.leadingZeros) {
    return new CelError(`${prefix}${prefix}netip.ParsePrefix(${quote(text)}): ${prefixError(text)}`);
  }
  if (cidr.ip.mapped) return new CelError(`${prefix}IPv4-mapped IPv6 address ${quote(text)} is not allowed`);
  return new CIDRNetwork(cidr.ip, cidr.prefixLength);
}

function masked(c: CIDRNetwork): CIDRNetwork {
  const bytes = c.address.bytes.map((byte, i) => byte & (0xff << (8 - Math.min(8, Math.max(0, c.bits - 8 * i)))) & 0xff);
  return new CIDRNetwork({ ...c.address, bytes }, c.bits);
}
const contains = (c: CIDRNetwork, ip: Address): boolean =>
  ip.family === c.address.family && sameBytes(masked(new CIDRNetwork(ip, c.bits)).address.bytes, masked(c).address.bytes);
const containsNetwork = (c: CIDRNetwork, other: CIDRNetwork): boolean => c.bits <= other.bits && contains(c, other.address);

const test =
  (holds: (bytes: readonly number[], family: 4 | 6) => boolean): Run =>
  ([ip]) => {
    const { bytes, family } = (ip as IPValue).address;
    return holds(bytes, family);
  };
const unspecified = (b: readonly number[]): boolean => b.every((x) => x === 0);
const loopback = (b: readonly number[], f: 4 | 6): boolean =>
  f === 4 ? b[0] === 127 : b.slice(0, 15).every((x) => x === 0) && b[15] === 1;
const linkLocalUnicast = (b: readonly number[], f: 4 | 6): boolean =>
  f === 4 ? b[0] === 169 && b[1] === 254 : b[0] === 0xfe && (b[1]! & 0xc0) === 0x80;
const linkLocalMulticast = (b: readonly number[], f: 4 | 6): boolean =>
  f === 4 ? b[0] === 224 && b[1] === 0 && b[2] === 0 : b[0] === 0xff && (b[1]! & 0x0f) === 2;
const multicast = (b: readonly number[], f: 4 | 6): boolean => (f === 4 ? (b[0]! & 0xf0) === 0xe0 : b[0] === 0xff);
const broadcast = (b: readonly number[], f: 4 | 6): boolean => f === 4 && b.every((x) => x === 255);
const globalUnicast = (b: readonly number[], f: 4 | 6): boolean =>
  !(unspecified(b) || loopback(b, f) || multicast(b, f) || linkLocalUnicast(b, f) || broadcast(b, f));

export const netFunctions: readonly FunctionDeclaration[] = [
  declare(
    'ip',
    ['string_to_ip', [stringType], ipType, ([s]) => toIP(s as string)],
    ['.cidr_ip', [cidrType], ipType, ([c]) => new IPValue((c as CIDRNetwork).address)],
  ),
  declare('isIP', ['is_ip', [stringType], boolType, ([s]) => toIP(s as string) instanceof IPValue]),
  declare('ip.isCanonical', [
    'ip_is_canonical',
    [stringType],
    boolType,
    ([s]) => {
      const ip = toIP(s as string);
      return ip instanceof CelError ? ip : formatIP(ip.address) === s;
    },
  ]),
  declare('family', ['.ip_family', [ipType], intType, ([ip]) => BigInt((ip as IPValue).address.family)]),
  declare('isUnspecified', ['.ip_is_unspecified', [ipType], boolType, test(unspecified)]),
  declare('isLoopback', ['.ip_is_loopback', [ipType], boolType, test(loopback)]),
  declare('isLinkLocalMulticast', ['.ip_is_link_local_multicast', [ipType], boolType, test(linkLocalMulticast)]),
  declare('isLinkLocalUnicast', ['.ip_is_link_local_unicast', [ipType], boolType, test(linkLocalUnicast)]),
  declare('isGlobalUnicast', ['.ip_is_global_unicast', [ipType], boolType, test(globalUnicast)]),
  declare(
    'string',
    ['ip_to_string', [ipType], stringType, ([ip]) => formatIP((ip as IPValue).address)],
    ['cidr_to_string', [cidrType], stringType, ([c]) => `${formatIP((c as CIDRNetwork).address)}/${(c as CIDRNetwork).bits}`],
  ),
  declare('cidr', ['string_to_cidr', [stringType], cidrType, ([s]) => toCIDR(s as string)]),
  declare('isCIDR', ['is_cidr', [stringType], boolType, ([s]) => toCIDR(s as string) instanceof CIDRNetwork]),
  declare(
    'containsIP',
    [
      '.cidr_contains_ip_string',
      [cidrType, stringType],
      boolType,
      ([c, s]) => {
        const ip = toIP(s as string);
        return ip instanceof CelError ? noSuchOverload : contains(c as CIDRNetwork, ip.address);
      },
    ],
    ['.cidr_contains_ip_ip', [cidrType, ipType], boolType, ([c, ip]) => contains(c as CIDRNetwork, (ip as IPValue).address)],
  ),
  declare(
    'containsCIDR',
    [
      '.cidr_contains_cidr_string',
      [cidrType, stringType],
      boolType,
      ([c, s]) => {
        const other = toCIDR(s as string);
        return other instanceof CelError ? noSuchOverload : containsNetwork(c as CIDRNetwork, other);
      },
    ],
    ['.cidr_contains_cidr', [cidrType, cidrType], boolType, ([c, other]) => containsNetwork(c as CIDRNetwork, other as CIDRNetwork)],
  ),
  declare('prefixLength', ['.cidr_prefix_length', [cidrType], intType, ([c]) => BigInt((c as CIDRNetwork).bits)]),
  declare('masked', ['.cidr_masked', [cidrType], cidrType, ([c]) => masked(c as CIDRNetwork)]),
];
