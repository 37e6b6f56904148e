import { lookupTable } from '../lookup-table.ts';
import { isIPv4, isIPv6 } from 'node:net';
import { parseDuration } from '../duration.ts';
import { parseTime } from '../time.ts';
import type { StructuralSchema } from './schema.ts';

type Check = (value: string) => boolean;

const succeeds =
  (parse: (value: string) => unknown): Check =>
  (value) => {
    try {
      parse(value);
      return true;
    } catch {
      // The parser's complaint is not shown: the format's name is.
      return false;
    }
  };
const matches =
  (pattern: RegExp): Check =>
  (value) =>
    pattern.test(value);

function isCIDR(value: string): boolean {
  const [address = '', bits = ''] = value.split('/');
  if (!/^\d{1,3}$/.test(bits)) return false;
  return (isIPv4(address) && Number(bits) <= 32) || (isIPv6(address) && !address.includes('%') && Number(bits) <= 128);
}

function isISBN10(value: string): boolean {
  const digits = value.replace(/[\s-]+/g, '');
  if (!/^\d{9}[\dX]$/.test(digits)) return false;
  const sum = [...digits.matchAll(/./g)].reduce((n, [c], i) => n + (i + 1) * (c === 'X' ? 10 : Number(c)), 0);
  return sum % 11 === 0;
}
function isISBN13(value: string): boolean {
  const digits = value.replace(/[\s-]+/g, '');
  if (!/^\d{13}$/.test(digits)) return false;
  const sum = [...digits.matchAll(/./g)].reduce((n, [c], i) => n + (i % 2 === 0 ? 1 : 3) * Number(c), 0);
  return sum % 10 === 0;
}

const creditCard =
  /^(?:4[0-9]{12}(?:[0-9]{3})?|5[1-5][0-9]{14}|6(?:011|5[0-9][0-9])[0-9]{12}|3[47][0-9]{13}|3(?:0[0-5]|[68][0-9])[0-9]{11}|(?:2131|1800|35\d{3})\d{11})$/;
function isCreditCard(value: string): boolean {
  const digits = value.replace(/[^0-9]+/g, '');
  if (!creditCard.test(digits)) return false;
  const sum = [...digits.matchAll(/./g)].reverse().reduce((n, [c], i) => {
    const d = Number(c) * (i % 2 === 0 ? 1 : 2);
    return n + (d > 9 ? d - 9 : d);
  }, 0);
  return sum % 10 === 0;
}

const hexGroups = (third: string, fourth: string): Check =>
  matches(new RegExp(`^[0-9a-f]{8}-?[0-9a-f]{4}-?${third}-?${fourth}-?[0-9a-f]{12}$`, 'i'));
const rgb = '(?:0|[1-9]\\d?|1\\d\\d?|2[0-4]\\d|25[0-5])';
const shortName = '[a-z0-9](?:[-a-z0-9]*[a-z0-9])?';

/** Formats of strings that CRD schemas may ask for (the names without their dashes, but for the `k8s-` ones). Others are ignored. */
const stringFormats = lookupTable<Check>({
  bsonobjectid: matches(/^[0-9a-fA-F]{24}$/),
  uri: (value) => /^(?:[a-zA-Z][a-zA-Z0-9+.-]*:|\/)/.test(value) && URL.canParse(value, 'http://localhost'),
  email: matches(/^[^\s@<>"(),:;[\]\\]+@[^\s@<>"(),:;[\]\\]+$/),
  hostname: (value) =>
    value.length <= 255 &&
    (isIPv4(value) ||
      /^(?:[\p{L}\p{S}0-9](?:[\p{L}\p{S}0-9-]{0,61}[\p{L}\p{S}0-9])?)(?:\.[\p{L}\p{S}0-9](?:[\p{L}\p{S}0-9-]{0,61}[\p{L}\p{S}0-9])?)*$/u.test(
        value,
      )),
  ipv4: isIPv4,
  ipv6: (value) => isIPv6(value) && !value.includes('%'),
  cidr: isCIDR,
  mac: matches(
    /^(?:(?:[0-9a-f]{2}[:-]){5}(?:[0-9a-f]{2}(?:(?:[:-][0-9a-f]{2}){2}|(?:[:-][0-9a-f]{2}){14})?)|(?:[0-9a-f]{4}\.){2}[0-9a-f]{4})$/i,
  ),
  uuid: hexGroups('[0-9a-f]{4}', '[0-9a-f]{4}'),
  uuid3: hexGroups('3[0-9a-f]{3}', '[0-9a-f]{4}'),
  uuid4: hexGroups('4[0-9a-f]{3}', '[89ab][0-9a-f]{3}'),
  uuid5: hexGroups('5[0-9a-f]{3}', '[89ab][0-9a-f]{3}'),
  isbn: (value) => isISBN10(value) || isISBN13(value),
  isbn10: isISBN10,
  isbn13: isISBN13,
  creditcard: isCreditCard,
  ssn: matches(/^\d{3}[- ]?\d{2}[- ]?\d{4}$/),
  hexcolor: matches(/^#?(?:[0-9a-fA-F]{3}|[0-9a-fA-F]{6})$/),
  rgbcolor: matches(new RegExp(`^rgb\\(\\s*${rgb}\\s*,\\s*${rgb}\\s*,\\s*${rgb}\\s*\\)$`)),
  byte: matches(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=|[A-Za-z0-9+/]{4})$/),
  password: () => true,
  date: (value) => /^\d{4}-\d{2}-\d{2}$/.test(value) && succeeds(parseTime)(`${value}T00:00:00Z`),
  duration: (value) =>
    succeeds(parseDuration)(value) ||
    /^\d+\s*(?:ns|nanos?|nanoseconds?|us|micros?|microseconds?|ms|millis?|milliseconds?|s|seconds?|m|mins?|minutes?|h|hrs?|hours?|d|days?|w|wks?|weeks?)$/i.test(
      value,
    ),
  datetime: succeeds((value) => parseTime(value.replace('t', 'T').replace('z', 'Z'))),
  'k8s-short-name': (value) => value.length <= 63 && new RegExp(`^${shortName}$`).test(value),
  'k8s-long-name': (value) => value.length <= 253 && new RegExp(`^${shortName}(?:\\.${shortName})*$`).test(value),
});

/** The check of a schema's string format, where it is one that upstream enforces. */
export function stringFormatOf(schema: StructuralSchema): Check | undefined {
  const { format, type } = schema;
  if (!format || (type !== undefined && type !== 'string' && type !== '')) return undefined;
  return stringFormats[format] ?? stringFormats[format.replaceAll('-', '')];
}

/** The check behind a format's name (without dashes). */
export const stringFormat = (name: string): Check | undefined => (Object.hasOwn(stringFormats, name) ? stringFormats[name] : undefined);
