import {
  badRequest,
  type JsonObject,
  JsonSyntaxError,
  type ParsedJson,
  parseJson,
  parseYaml,
  StatusError,
  YamlError,
} from '@skiff/apimachinery';

export const unsupportedMediaType = (accepted: readonly string[]): StatusError =>
  new StatusError(
    'UnsupportedMediaType',
    `the body of the request was in an unknown format - accepted media types include: ${accepted.join(', ')}`,
  );

/** Parses a body that must be an object. `fail` makes the 400 from the parser's complaint. */
export function parseRequestBody(
  r: { readonly body: Buffer; readonly contentType: string },
  fail: (why: string) => StatusError,
): ParsedJson & { value: JsonObject } {
  let parsed: ParsedJson;
  try {
    parsed = parseByMediaType(r);
  } catch (error) {
    if (error instanceof JsonSyntaxError || error instanceof YamlError) throw fail(error.message);
    throw error;
  }
  const { value } = parsed;
  // To Go's decoder null is an object without fields.
  if (value === null) return { ...parsed, value: {} };
  if (typeof value === 'object' && !Array.isArray(value)) return { ...parsed, value };
  const what = Array.isArray(value) ? 'array' : typeof value === 'boolean' ? 'bool' : typeof value === 'string' ? 'string' : 'number';
  throw fail(
    `json: cannot unmarshal ${what} into Go value of type struct { APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" }`,
  );
}

const bodyTypes = ['application/json', 'application/yaml', 'application/vnd.kubernetes.protobuf'] as const;

/** The front has turned protobuf bodies into JSON. */
function parseByMediaType({ body, contentType }: { readonly body: Buffer; readonly contentType: string }): ParsedJson {
  switch (contentType) {
    case '':
    case 'application/json':
      return parseJson(body);
    case 'application/yaml':
      return parseYaml(body);
    default:
      throw unsupportedMediaType(bodyTypes);
  }
}

/** The first bytes of a body as upstream quotes them: JSON as it is, other things in hexadecimal. */
function summarize(body: Buffer, maxLength = 30): string {
  if (body.length === 0) return '<empty>';
  const encoding = body[0] === 0x7b ? 'utf8' : 'hex';
  return body.length > maxLength ? `${body.toString(encoding, 0, maxLength)} ...` : body.toString(encoding);
}

/** The 400 for a body that can't even be read as far as its kind. */
export const unrecognizedBody =
  (body: Buffer, kind: string) =>
  (why: string): StatusError =>
    badRequest(
      `the object provided is unrecognized (must be of type ${kind}): couldn't get version/kind; json parse error: ${why} (${summarize(body)})`,
    );
