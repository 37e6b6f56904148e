/**
 * Formats of names, keys and values (k8s.io/apimachinery/pkg/util/validation). Each function returns upstream's complaints, none
 * when the value is good. Lengths count bytes.
 */
export type Complaints = readonly string[];

const none: Complaints = [];
const tooLong = (value: string, max: number): boolean => Buffer.byteLength(value) > max;

export const maxLenError = (length: number): string => `must be no more than ${length} characters`;
/** What upstream's newer checks say of the same thing: labels, their keys, and what is checked by markers on types. */
export const maxBytesError = (length: number): string => `must be no more than ${length} bytes`;
export const inclusiveRangeError = (low: number, high: number): string => `must be between ${low} and ${high}, inclusive`;
export const emptyError = 'must be non-empty';

export function regexError(message: string, format: string, ...examples: readonly string[]): string {
  const regex = `regex used for validation is '${format}'`;
  return examples.length === 0 ? `${message} (${regex})` : `${message} (e.g. ${examples.map((e) => `'${e}', `).join(' or ')}${regex})`;
}

interface Format {
  readonly format: string;
  readonly message: string;
  readonly examples: readonly string[];
  readonly maxLength?: number;
  readonly tooLongError?: (length: number) => string;
}

/** A check of one regular expression, after an optional check of the length. */
function defineFormat({ format, message, examples, maxLength, tooLongError = maxLenError }: Format): (value: string) => Complaints {
  const regex = new RegExp(`^${format}$`);
  const complaint = regexError(message, format, ...examples);
  return (value) => {
    const long = maxLength !== undefined && tooLong(value, maxLength);
    const good = regex.test(value);
    if (good && !long) return none;
    return [...(long ? [tooLongError(maxLength)] : []), ...(good ? [] : [complaint])];
  };
}

const labelFormat = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const subdomainFormat = `${labelFormat}(\\.${labelFormat})*`;
const underscoreLabelFormat = '_?[a-z0-9]([-_a-z0-9]*[a-z0-9])?';

export const dns1123LabelMaxLength = 63;
export const dns1123SubdomainMaxLength = 253;

const labelOnly = defineFormat({
  format: labelFormat,
  message:
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
  examples: ['my-name', '123-abc'],
  maxLength: dns1123LabelMaxLength,
});
const subdomainRegex = new RegExp(`^${subdomainFormat}$`);

export function isDNS1123Label(value: string): Complaints {
  const complaints = labelOnly(value);
  // A name that is only wrong in having dots gets a shorter answer than the whole rule.
  if (complaints.length === 0 || !value.includes('.') || !subdomainRegex.test(value)) return complaints;
  return [...complaints.slice(0, -1), 'must not contain dots'];
}

const subdomain: Format = {
  format: subdomainFormat,
  message:
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
  examples: ['example.com'],
  maxLength: dns1123SubdomainMaxLength,
};
export const isDNS1123Subdomain = defineFormat(subdomain);
/** The same, as `+k8s:format=k8s-long-name` says it. */
export const isLongName = defineFormat({ ...subdomain, tooLongError: maxBytesError });

export const isDNS1123SubdomainWithUnderscore = defineFormat({
  format: `${underscoreLabelFormat}(\\.${underscoreLabelFormat})*`,
  message:
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '_', '-' or '.', and must start and end with an alphanumeric character",
  examples: ['example.com'],
  maxLength: dns1123SubdomainMaxLength,
});

export const isDNS1035Label = defineFormat({
  format: '[a-z]([-a-z0-9]*[a-z0-9])?',
  message:
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
  examples: ['my-name', 'abc-123'],
  maxLength: dns1123LabelMaxLength,
});

export const isWildcardDNS1123Subdomain = defineFormat({
  format: `\\*\\.${subdomainFormat}`,
  message:
    "a wildcard DNS-1123 subdomain must start with '*.', followed by a valid DNS subdomain, which must consist of lower case alphanumeric characters, '-' or '.' and end with an alphanumeric character",
  examples: ['*.example.com'],
  maxLength: dns1123SubdomainMaxLength,
});

export const isCIdentifier = defineFormat({
  format: '[A-Za-z_][A-Za-z0-9_]*',
  message: "a valid C identifier must start with alphabetic character or '_', followed by a string of alphanumeric characters or '_'",
  examples: ['my_name', 'MY_NAME', 'MyName'],
});

const qualifiedNameFormat = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';
const qualifiedNameMessage =
  "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
const qualifiedNameError = regexError(qualifiedNameMessage, qualifiedNameFormat, 'MyName', 'my.name', '123-abc');
const qualifiedNameRegex = new RegExp(`^${qualifiedNameFormat}$`);

/** A label key: `name` or `dns.prefix/name`. Also the form of finalizers, taint keys and resource names. */
export function isQualifiedName(value: string): Complaints {
  const parts = value.split('/');
  if (parts.length > 2) {
    return [`a valid label key ${qualifiedNameError} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const complaints: string[] = [];
  const name = parts.at(-1) ?? '';
  if (parts.length === 2) {
    const prefix = parts[0] ?? '';
    complaints.push(...(prefix === '' ? [emptyError] : isLongName(prefix)).map((c) => `prefix part ${c}`));
  }
  if (name === '') complaints.push(`name part ${emptyError}`);
  else if (tooLong(name, 63)) complaints.push(`name part ${maxBytesError(63)}`);
  if (!qualifiedNameRegex.test(name)) complaints.push(`name part ${qualifiedNameError}`);
  return complaints;
}

export const isValidLabelValue = defineFormat({
  format: `(${qualifiedNameFormat})?`,
  message:
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
  examples: ['MyValue', 'my_value', '12345'],
  maxLength: 63,
  tooLongError: maxBytesError,
});

export const isInRange = (value: number, low: number, high: number): Complaints =>
  value >= low && value <= high ? none : [inclusiveRangeError(low, high)];
export const isValidPortNum = (port: number): Complaints => isInRange(port, 1, 65535);
export const isValidUserID = (id: number): Complaints => isInRange(id, 0, 2147483647);
export const isValidGroupID = (id: number): Complaints => isInRange(id, 0, 2147483647);

/** IANA service name of at most 15 characters. */
export function isValidPortName(port: string): Complaints {
  const complaints: string[] = [];
  if (tooLong(port, 15)) complaints.push(maxLenError(15));
  if (!/^[-a-z0-9]+$/.test(port)) complaints.push('must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)');
  if (!/[a-z]/.test(port)) complaints.push('must contain at least one letter (a-z)');
  if (port.includes('--')) complaints.push('must not contain consecutive hyphens');
  if (port.startsWith('-') || port.endsWith('-')) complaints.push('must not begin or end with a hyphen');
  return complaints;
}

export const isValidPercent = defineFormat({
  format: '[0-9]+%',
  message: "a valid percent string must be a numeric string followed by an ending '%'",
  examples: ['1%', '93%'],
});

export const isHTTPHeaderName = defineFormat({
  format: '[-A-Za-z0-9]+',
  message: "a valid HTTP header must consist of alphanumeric characters or '-'",
  examples: ['X-Header-Name'],
});

/** Names of environment variables since 1.34: any printable ASCII but `=`. */
export function isEnvVarName(value: string): Complaints {
  if (value === '') return [`environment variable name ${emptyError}`];
  return /^[\x20-\x3c\x3e-\x7e]*$/.test(value)
    ? none
    : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
}

const configMapKeyFormat = defineFormat({
  format: '[-._a-zA-Z0-9]+',
  message: "a valid config key must consist of alphanumeric characters, '-', '_' or '.'",
  examples: ['key.name', 'KEY_NAME', 'key-name'],
  maxLength: dns1123SubdomainMaxLength,
});

/** Keys of ConfigMaps and Secrets become file names. */
export function isConfigMapKey(value: string): Complaints {
  const complaints = configMapKeyFormat(value);
  if (value === '.') return [...complaints, "must not be '.'"];
  if (value === '..') return [...complaints, "must not be '..'"];
  return value.startsWith('..') ? [...complaints, "must not start with '..'"] : complaints;
}

/** What is left of a generateName once the random suffix is there: a trailing dash is no fault. */
const maskTrailingDash = (name: string): string => (name.length > 1 && name.endsWith('-') ? `${name.slice(0, -2)}a` : name);

type NameCheck = (name: string, prefix: boolean) => Complaints;
export const nameIsLongName: NameCheck = (name, prefix) => isLongName(prefix ? maskTrailingDash(name) : name);
export const nameIsDNSSubdomain: NameCheck = (name, prefix) => isDNS1123Subdomain(prefix ? maskTrailingDash(name) : name);
export const nameIsDNSLabel: NameCheck = (name, prefix) => isDNS1123Label(prefix ? maskTrailingDash(name) : name);
export const nameIsDNS1035Label: NameCheck = (name, prefix) => isDNS1035Label(prefix ? maskTrailingDash(name) : name);

/** What every name must be, so that it can stand in a URL path. */
export function isPathSegmentName(name: string, prefix: boolean): Complaints {
  if (!prefix && (name === '.' || name === '..')) return [`may not be '${name}'`];
  return ['/', '%'].filter((c) => name.includes(c)).map((c) => `may not contain '${c}'`);
}
