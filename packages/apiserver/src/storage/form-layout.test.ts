import { describe, expect, it } from 'vitest';
import { scanFormLayout } from './form-layout.ts';

function splice(json: string, sorted: boolean): string {
  const bytes = Buffer.from(json);
  const l = scanFormLayout(bytes, sorted);
  return [
    bytes.toString('utf8', 0, l.metadataStart),
    bytes.toString('utf8', l.metadataStart, l.versionAt),
    ',"resourceVersion":"7"',
    bytes.toString('utf8', l.versionAt, l.metadataEnd),
    bytes.toString('utf8', l.metadataEnd),
  ].join('|');
}

describe('scanFormLayout', () => {
  it('puts the version behind the uid in struct order', () => {
    expect(splice('{"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","uid":"u","labels":{"x":"}"}},"spec":{}}', false)).toBe(
      '{"kind":"Pod","apiVersion":"v1",|"metadata":{"name":"a","uid":"u"|,"resourceVersion":"7"|,"labels":{"x":"}"}}|,"spec":{}}',
    );
  });

  it('puts it in its alphabetical place in custom resources', () => {
    expect(splice('{"apiVersion":"g/v1","kind":"K","metadata":{"annotations":{"a":"\\"\\\\"},"name":"é","uid":"u"}}', true)).toBe(
      '{"apiVersion":"g/v1","kind":"K",|"metadata":{"annotations":{"a":"\\"\\\\"},"name":"é"|,"resourceVersion":"7"|,"uid":"u"}|}',
    );
  });

  it('refuses what is not canonical', () => {
    for (const bad of ['', '[]', '{"metadata":{}}', '{"a":1}', '{"metadata":{"name":"a","resourceVersion":"1"}}', '{ "metadata":{"name":"a"}}']) {
      expect(() => scanFormLayout(Buffer.from(bad), false), bad).toThrow();
    }
  });
});
