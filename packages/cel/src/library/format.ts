import {
  isQualifiedName,
  isValidLabelValue,
  nameIsDNS1035Label,
  nameIsDNSLabel,
  nameIsDNSSubdomain,
  stringFormat,
} from '@skiff/apimachinery';
import { declare } from '../declare.ts';
import type { FunctionDeclaration } from '../environment.ts';
import { listOf, objectType, optionalOf, stringType } from '../types.ts';
import { ArrayList, none, Opaque, Optional } from '../values.ts';
import { parseRequestURI } from './urls.ts';

export const formatType = objectType('kubernetes.NamedFormat');

type Complaints = (text: string) => readonly string[];
export class FormatValue extends Opaque {
  readonly type = formatType;
  readonly name: string;
  readonly complaints: Complaints;
  /** The length of the pattern that costs are counted by. */
  readonly patternSize: number;
  constructor(name: string, complaints: Complaints, patternSize: number) {
    super();
    this.name = name;
    this.complaints = complaints;
    this.patternSize = patternSize;
  }
  equals(other: Opaque): boolean {
    return other instanceof FormatValue && this.name === other.name;
  }
}

const named =
  (format: string, complaint: string): Complaints =>
  (text) =>
    stringFormat(format)!(text) ? [] : [complaint];
const uri: Complaints = (text) => {
  const parts = parseRequestURI(text);
  return typeof parts === 'string' ? [parts] : [];
};

/** `maxRegexSize` of upstream's formats, where it counts in costs. */
const formats: readonly (readonly [string, FormatValue])[] = [
  ['dns1123Label', new FormatValue('DNS1123Label', (s) => nameIsDNSLabel(s, false), 30)],
  ['dns1123Subdomain', new FormatValue('DNS1123Subdomain', (s) => nameIsDNSSubdomain(s, false), 60)],
  ['dns1035Label', new FormatValue('DNS1035Label', (s) => nameIsDNS1035Label(s, false), 30)],
  ['qualifiedName', new FormatValue('QualifiedName', isQualifiedName, 60)],
  ['dns1123LabelPrefix', new FormatValue('DNS1123LabelPrefix', (s) => nameIsDNSLabel(s, true), 30)],
  ['dns1123SubdomainPrefix', new FormatValue('DNS1123SubdomainPrefix', (s) => nameIsDNSSubdomain(s, true), 60)],
  ['dns1035LabelPrefix', new FormatValue('DNS1035LabelPrefix', (s) => nameIsDNS1035Label(s, true), 30)],
  ['labelValue', new FormatValue('LabelValue', isValidLabelValue, 40)],
  ['uri', new FormatValue('URI', uri, 1400)],
  ['uuid', new FormatValue('uuid', named('uuid', 'does not match the UUID format'), 68)],
  ['byte', new FormatValue('byte', named('byte', 'invalid base64'), 84)],
  ['date', new FormatValue('date', named('date', 'invalid date'), 108)],
  ['datetime', new FormatValue('datetime', named('datetime', 'invalid datetime'), 108)],
];
const byName = new Map(formats);

export const formatFunctions: readonly FunctionDeclaration[] = [
  ...formats.map(([name, format]) => declare(`format.${name}`, [`format.${name}`, [], formatType, () => format])),
  declare('format.named', [
    'format-named',
    [stringType],
    optionalOf(formatType),
    ([name]) => {
      const format = byName.get(name as string);
      return format === undefined ? none : new Optional(format);
    },
  ]),
  declare('validate', [
    '.format-validate',
    [formatType, stringType],
    optionalOf(listOf(stringType)),
    ([format, text]) => {
      const complaints = (format as FormatValue).complaints(text as string);
      return complaints.length === 0 ? none : new Optional(new ArrayList(complaints));
    },
  ]),
];
