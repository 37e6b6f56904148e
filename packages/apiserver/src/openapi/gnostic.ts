import type { Json, JsonObject } from '@skiff/apimachinery';

/**
 * The protobuf form of an OpenAPI v2 document (gnostic's openapi.v2.Document), which kubectl asks for. Only what our documents
 * contain. Messages are concatenable: paths and definitions may be encoded one by one.
 */
type Bytes = Buffer;

function varint(n: number): Bytes {
  const out: number[] = [];
  let rest = n;
  while (rest > 127) {
    out.push((rest & 127) | 128);
    rest = Math.floor(rest / 128);
  }
  out.push(rest);
  return Buffer.from(out);
}
/** Field of wire type 2: strings and messages. */
const bytesField = (number: number, value: Bytes): Bytes => Buffer.concat([varint(number * 8 + 2), varint(value.length), value]);
const stringField = (number: number, value: unknown): Bytes =>
  typeof value === 'string' && value !== '' ? bytesField(number, Buffer.from(value)) : empty;
const boolField = (number: number, value: unknown): Bytes => (value === true ? Buffer.concat([varint(number * 8), varint(1)]) : empty);
function doubleField(number: number, value: unknown): Bytes {
  if (typeof value !== 'number' || value === 0) return empty;
  const bytes = Buffer.alloc(8);
  bytes.writeDoubleLE(value);
  return Buffer.concat([varint(number * 8 + 1), bytes]);
}
const countField = (number: number, value: unknown): Bytes =>
  typeof value === 'number' && value > 0 ? Buffer.concat([varint(number * 8), varint(value)]) : empty;
const strings = (number: number, values: unknown): Bytes =>
  Buffer.concat((Array.isArray(values) ? values : []).map((v) => bytesField(number, Buffer.from(String(v)))));
const message = (...fields: readonly Bytes[]): Bytes => Buffer.concat(fields);
const empty = Buffer.alloc(0);

/** Any: JSON is YAML. */
const any = (value: Json | undefined): Bytes => stringField(2, `${JSON.stringify(value)}\n`);
const named = (name: string, value: Bytes): Bytes => message(bytesField(1, Buffer.from(name)), bytesField(2, value));
const extensions = (number: number, o: JsonObject): Bytes =>
  message(...Object.entries(o).flatMap(([key, value]) => (key.startsWith('x-') ? [bytesField(number, named(key, any(value)))] : [])));

const isObject = (v: Json | undefined): v is JsonObject => typeof v === 'object' && v !== null && !Array.isArray(v);

function schema(s: JsonObject): Bytes {
  const additional = s['additionalProperties'];
  return message(
    stringField(1, s['$ref']),
    stringField(2, s['format']),
    stringField(4, s['description']),
    s['default'] === undefined ? empty : bytesField(5, any(s['default'])),
    doubleField(6, s['multipleOf']),
    doubleField(7, s['maximum']),
    boolField(8, s['exclusiveMaximum']),
    doubleField(9, s['minimum']),
    boolField(10, s['exclusiveMinimum']),
    countField(11, s['maxLength']),
    countField(12, s['minLength']),
    stringField(13, s['pattern']),
    countField(14, s['maxItems']),
    countField(15, s['minItems']),
    boolField(16, s['uniqueItems']),
    countField(17, s['maxProperties']),
    countField(18, s['minProperties']),
    strings(19, s['required']),
    ...(Array.isArray(s['enum']) ? s['enum'] : []).map((value) => bytesField(20, any(value))),
    isObject(additional)
      ? bytesField(21, bytesField(1, schema(additional)))
      : additional === true
        ? bytesField(21, boolField(2, true))
        : empty,
    typeof s['type'] === 'string' ? bytesField(22, stringField(1, s['type'])) : empty,
    isObject(s['items']) ? bytesField(23, bytesField(1, schema(s['items']))) : empty,
    isObject(s['properties']) ? bytesField(25, namedSchemas(s['properties'])) : empty,
    extensions(31, s),
  );
}

const namedSchemas = (properties: JsonObject): Bytes =>
  message(...Object.entries(properties).map(([name, value]) => bytesField(1, named(name, schema(value as JsonObject)))));

function parameter(p: JsonObject): Bytes {
  if (p['in'] === 'body') {
    const body = message(
      stringField(2, p['name']),
      stringField(3, p['in']),
      boolField(4, p['required']),
      isObject(p['schema']) ? bytesField(5, schema(p['schema'])) : empty,
    );
    return bytesField(1, bytesField(1, body));
  }
  const inQuery = p['in'] === 'query';
  const head = message(boolField(1, p['required']), stringField(2, p['in']), stringField(3, p['description']), stringField(4, p['name']));
  const tail = inQuery
    ? message(stringField(6, p['type']), boolField(20, p['uniqueItems']))
    : message(stringField(5, p['type']), boolField(19, p['uniqueItems']));
  return bytesField(1, bytesField(2, bytesField(inQuery ? 3 : 4, message(head, tail))));
}

const parameters = (number: number, list: Json | undefined): Bytes =>
  message(...(Array.isArray(list) ? list : []).map((p) => bytesField(number, parameter(p as JsonObject))));

function response(r: JsonObject): Bytes {
  return bytesField(
    1,
    message(stringField(1, r['description']), isObject(r['schema']) ? bytesField(2, bytesField(1, schema(r['schema']))) : empty),
  );
}

function operation(o: JsonObject): Bytes {
  const responses = Object.entries((o['responses'] ?? {}) as JsonObject);
  return message(
    strings(1, o['tags']),
    stringField(3, o['description']),
    stringField(5, o['operationId']),
    strings(6, o['produces']),
    strings(7, o['consumes']),
    parameters(8, o['parameters']),
    bytesField(9, message(...responses.map(([code, r]) => bytesField(1, named(code, response(r as JsonObject)))))),
    strings(10, o['schemes']),
    extensions(13, o),
  );
}

const methodFields = { get: 2, put: 3, post: 4, delete: 5, options: 6, head: 7, patch: 8 } as const;

/** One member of `Paths`, to be concatenated. */
export function encodePath(path: string, item: JsonObject): Bytes {
  const operations = Object.entries(methodFields).map(([method, number]) => {
    const o = item[method];
    return isObject(o) ? bytesField(number, operation(o)) : empty;
  });
  return bytesField(2, named(path, message(...operations, parameters(9, item['parameters']))));
}

/** One member of `Definitions`, to be concatenated. */
export const encodeDefinition = (name: string, s: JsonObject): Bytes => bytesField(1, named(name, schema(s)));

/** The document around its encoded paths and definitions. */
export function encodeDocument(frame: JsonObject, paths: Bytes, definitions: Bytes): Bytes {
  const info = frame['info'] as JsonObject;
  const schemes = Object.entries((frame['securityDefinitions'] ?? {}) as JsonObject).map(([name, value]) => {
    const s = value as JsonObject;
    const apiKey = message(stringField(1, s['type']), stringField(2, s['name']), stringField(3, s['in']), stringField(4, s['description']));
    return bytesField(1, named(name, bytesField(2, apiKey)));
  });
  const security = ((frame['security'] ?? []) as JsonObject[]).map((requirement) =>
    bytesField(12, message(...Object.entries(requirement).map(([name, scopes]) => bytesField(1, named(name, strings(1, scopes)))))),
  );
  return message(
    stringField(1, frame['swagger']),
    bytesField(2, message(stringField(1, info['title']), stringField(2, info['version']))),
    bytesField(8, paths),
    bytesField(9, definitions),
    ...security,
    bytesField(13, message(...schemes)),
  );
}
