import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { builtinSchemas } from '@skiff/api';
import { createProtobufEncoder, createTypedCodec, type JsonObject, parseJson, protobufEnvelope } from '@skiff/apimachinery';
import { describe, expect, it } from 'vitest';
import { ProtobufBodies, stringifyExactly } from './protobuf-body.ts';

/** `testdata/HEAD` of the Go package k8s.io/api, which Debian ships in golang-k8s-api-dev. */
const fixtures = `${process.env['SKIFF_ROUND_TRIP_FIXTURES'] ?? ''}/`;
const present = fixtures !== '/' && existsSync(fixtures);
if (!present) console.warn('SKIPPED: SKIFF_ROUND_TRIP_FIXTURES names no folder with protobuf fixtures');

const decoder = new ProtobufBodies(builtinSchemas);
const schemaOf = new Map<string, string>();
for (const name of builtinSchemas.names()) {
  const gvk = builtinSchemas.struct(name)?.groupVersionKind;
  if (gvk !== undefined) schemaOf.set(`${gvk.group === '' ? 'core' : gvk.group}.${gvk.version}.${gvk.kind}`, name);
}
const files = present ? readdirSync(fixtures).filter((f) => f.endsWith('.pb') && schemaOf.has(f.slice(0, -3))) : [];

describe.skipIf(!present)('protobuf bodies say the same as JSON ones', () => {
  it('finds fixtures', () => expect(files.length).toBeGreaterThan(100));
  it.each(files)('%s', (file) => {
    const codec = createTypedCodec<object>(builtinSchemas, schemaOf.get(file.slice(0, -3)) ?? '');
    const fromProtobuf = codec.decode(parseJson(stringifyExactly(decoder.decodeObject(readFileSync(`${fixtures}${file}`)))));
    const fromJson = codec.decode(parseJson(readFileSync(`${fixtures}${file.replace(/pb$/, 'json')}`)));
    expect(codec.encode(fromProtobuf.object).bytes.toString()).toBe(codec.encode(fromJson.object).bytes.toString());
  });
});

describe.skipIf(!present)('objects are written as Go writes them', () => {
  const encoder = createProtobufEncoder(builtinSchemas);
  it.each(files)('%s', (file) => {
    const schemaName = schemaOf.get(file.slice(0, -3)) ?? '';
    const object = parseJson(readFileSync(`${fixtures}${file.replace(/pb$/, 'json')}`)).value as JsonObject;
    const written = protobufEnvelope(object['apiVersion'] as string, object['kind'] as string, encoder.message(schemaName, object));
    expect(written.toString('hex')).toBe(readFileSync(`${fixtures}${file}`).toString('hex'));
  });
});

describe('broken protobuf', () => {
  it('is refused', () => {
    expect(() => decoder.decodeObject(Buffer.from('nope'))).toThrow('expected prefix');
    expect(() => decoder.decodeObject(Buffer.from('k8s\0\x0a\xff', 'latin1'))).toThrow();
  });
});
