import { declare, type Run } from '../declare.ts';
import type { FunctionDeclaration } from '../environment.ts';
import { boolType, intType, objectType, stringType } from '../types.ts';
import { CelError, Opaque } from '../values.ts';

export const semverType = objectType('kubernetes.Semver');

export class SemverValue extends Opaque {
  readonly type = semverType;
  readonly numbers: readonly [bigint, bigint, bigint];
  readonly preRelease: readonly string[];
  constructor(numbers: readonly [bigint, bigint, bigint], preRelease: readonly string[]) {
    super();
    this.numbers = numbers;
    this.preRelease = preRelease;
  }
  equals(other: Opaque): boolean {
    return other instanceof SemverValue && compareVersions(this, other) === 0;
  }
}

const numeric = (s: string): boolean => /^\d+$/.test(s);

function compareVersions(a: SemverValue, b: SemverValue): -1 | 0 | 1 {
  for (const i of [0, 1, 2] as const) {
    if (a.numbers[i] !== b.numbers[i]) return a.numbers[i] < b.numbers[i] ? -1 : 1;
  }
  const [p, q] = [a.preRelease, b.preRelease];
  if (p.length === 0 || q.length === 0) return p.length === q.length ? 0 : p.length === 0 ? 1 : -1;
  for (let i = 0; i < Math.min(p.length, q.length); i++) {
    const [x, y] = [p[i]!, q[i]!];
    if (x === y) continue;
    if (numeric(x) !== numeric(y)) return numeric(x) ? -1 : 1;
    const less = numeric(x) ? BigInt(x) < BigInt(y) : x < y;
    return less ? -1 : 1;
  }
  return p.length === q.length ? 0 : p.length < q.length ? -1 : 1;
}

const bad = (message: string): CelError => new CelError(message);
const maxNumber = 2n ** 64n - 1n;

function parseNumber(part: string, name: string): bigint | CelError {
  if (!numeric(part)) return bad(`Invalid character(s) found in ${name} number ${JSON.stringify(part)}`);
  if (part.length > 1 && part.startsWith('0'))
    return bad(`${name[0]!.toUpperCase()}${name.slice(1)} number must not contain leading zeroes ${JSON.stringify(part)}`);
  const n = BigInt(part);
  return n > maxNumber ? bad(`strconv.ParseUint: parsing ${JSON.stringify(part)}: value out of range`) : n;
}

function parse(text: string): SemverValue | CelError {
  if (text === '') return bad('Version string empty');
  const first = text.indexOf('.');
  const second = text.indexOf('.', first + 1);
  if (first < 0 || second < 0) return bad('No Major.Minor.Patch elements found');
  const [head, ...builds] = text.slice(second + 1).split('+') as [string, ...string[]];
  const dash = head.indexOf('-');
  const patchText = dash < 0 ? head : head.slice(0, dash);
  const preRelease = dash < 0 ? [] : head.slice(dash + 1).split('.');
  const build = builds.length === 0 ? [] : builds.join('+').split('.');
  const numbers: bigint[] = [];
  const parts: readonly (readonly [string, string])[] = [
    [text.slice(0, first), 'major'],
    [text.slice(first + 1, second), 'minor'],
    [patchText, 'patch'],
  ];
  for (const [part, name] of parts) {
    const n = parseNumber(part, name);
    if (n instanceof CelError) return n;
    numbers.push(n);
  }
  for (const p of preRelease) {
    if (p === '') return bad('Prerelease is empty');
    if (!/^[0-9A-Za-z-]+$/.test(p)) return bad(`Invalid character(s) found in prerelease ${JSON.stringify(p)}`);
    if (numeric(p) && p.length > 1 && p.startsWith('0'))
      return bad(`Numeric PreRelease version must not contain leading zeroes ${JSON.stringify(p)}`);
  }
  for (const b of build) {
    if (b === '') return bad('Build meta data is empty');
    if (!/^[0-9A-Za-z-]+$/.test(b)) return bad(`Invalid character(s) found in build meta data ${JSON.stringify(b)}`);
  }
  return new SemverValue(numbers as unknown as readonly [bigint, bigint, bigint], preRelease);
}

/** Without a leading v and leading zeros, and with what a short version leaves out. */
function normalize(text: string): string | CelError {
  const s = text.startsWith('v') ? text.slice(1) : text;
  const first = s.indexOf('.');
  const second = first < 0 ? -1 : s.indexOf('.', first + 1);
  const parts =
    first < 0
      ? [s]
      : second < 0
        ? [s.slice(0, first), s.slice(first + 1)]
        : [s.slice(0, first), s.slice(first + 1, second), s.slice(second + 1)];
  const trimmed = parts.map((p) => {
    if (p.length <= 1) return p;
    const bare = p.replace(/^0+/, '');
    return bare === '' || !/^\d/.test(bare) ? `0${bare}` : bare;
  });
  if (trimmed.length < 3 && /[+-]/.test(trimmed.at(-1)!)) return bad('short version cannot contain PreRelease/Build meta data');
  while (trimmed.length < 3) trimmed.push('0');
  return trimmed.join('.');
}
function parseTolerant(text: string, tolerant: boolean): SemverValue | CelError {
  const normal = tolerant ? normalize(text) : text;
  return normal instanceof CelError ? normal : parse(normal);
}

const pair = [semverType, semverType];
const order =
  (holds: (o: number) => boolean): Run =>
  ([a, b]) =>
    holds(compareVersions(a as SemverValue, b as SemverValue));

export const semverFunctions: readonly FunctionDeclaration[] = [
  declare(
    'semver',
    ['string_to_semver', [stringType], semverType, ([s]) => parse(s as string)],
    ['string_bool_to_semver', [stringType, boolType], semverType, ([s, n]) => parseTolerant(s as string, n as boolean)],
  ),
  declare(
    'isSemver',
    ['is_semver_string', [stringType], boolType, ([s]) => !(parse(s as string) instanceof CelError)],
    [
      'is_semver_string_bool',
      [stringType, boolType],
      boolType,
      ([s, n]) => !(parseTolerant(s as string, n as boolean) instanceof CelError),
    ],
  ),
  declare('isGreaterThan', ['.semver_is_greater_than', pair, boolType, order((o) => o > 0)]),
  declare('isLessThan', ['.semver_is_less_than', pair, boolType, order((o) => o < 0)]),
  declare('compareTo', ['.semver_compare_to', pair, intType, ([a, b]) => BigInt(compareVersions(a as SemverValue, b as SemverValue))]),
  declare('major', ['.semver_major', [semverType], intType, ([v]) => (v as SemverValue).numbers[0]]),
  declare('minor', ['.semver_minor', [semverType], intType, ([v]) => (v as SemverValue).numbers[1]]),
  declare('patch', ['.semver_patch', [semverType], intType, ([v]) => (v as SemverValue).numbers[2]]),
];
