const alphaNumeric = '[a-z0-9]+';
const separator = '(?:[._]|__|[-]+)';
const pathComponent = `${alphaNumeric}(?:${separator}${alphaNumeric})*`;
const domainComponent = '(?:[a-zA-Z0-9]|[a-zA-Z0-9][a-zA-Z0-9-]*[a-zA-Z0-9])';
const domain = `(?:${domainComponent}(?:\\.${domainComponent})*|\\[[a-fA-F0-9:]+\\])(?::[0-9]+)?`;
const tag = '[\\w][\\w.-]{0,127}';
const digest = '[A-Za-z][A-Za-z0-9]*(?:[-_+.][A-Za-z][A-Za-z0-9]*)*:[0-9a-fA-F]{32,}';
const reference = new RegExp(`^((?:${domain}/)?${pathComponent}(?:/${pathComponent})*)(?::(${tag}))?(?:@(${digest}))?$`);
const maxNameLength = 255;
/** 64 hex digits are an image ID, which the reference grammar of Docker refuses as a name. */
const identifier = /^[a-f0-9]{64}$/;

/**
 * The tag of an image reference: `latest` where neither tag nor digest is written, '' with a digest alone. undefined when the
 * reference does not parse (its validation is somebody else's).
 */
export function imageTag(image: string): string | undefined {
  if (image.length > 4096 || identifier.test(image)) return undefined;
  const match = reference.exec(image);
  if (match === null || (match[1] ?? '').length > maxNameLength) return undefined;
  return match[2] ?? (match[3] === undefined ? 'latest' : '');
}

/** `Always` for what may change under its name, `IfNotPresent` else. */
export const defaultPullPolicy = (image: string): 'Always' | 'IfNotPresent' => (imageTag(image) === 'latest' ? 'Always' : 'IfNotPresent');
