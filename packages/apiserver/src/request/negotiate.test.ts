import { describe, expect, it } from 'vitest';
import { negotiateOutput, wantsPretty } from './negotiate.ts';

const custom = { transformable: true, protobuf: false };
const builtin = { transformable: true, protobuf: true };

describe('negotiateOutput', () => {
  it.each([
    ['', { mediaType: 'json' }],
    ['*/*', { mediaType: 'json' }],
    ['application/yaml', { mediaType: 'yaml' }],
    ['application/vnd.kubernetes.protobuf, application/json', { mediaType: 'json' }],
    [
      'application/json;as=Table;v=v1;g=meta.k8s.io,application/json;as=Table;v=v1beta1;g=meta.k8s.io,application/json',
      { as: 'Table', asVersion: 'v1' },
    ],
    ['application/json;q=0.5,application/yaml;q=0.9', { mediaType: 'yaml' }],
    [
      'application/json;as=Table;v=v2;g=meta.k8s.io,application/json;as=PartialObjectMetadata;v=v1beta1;g=meta.k8s.io',
      { as: 'PartialObjectMetadata', asVersion: 'v1beta1' },
    ],
    ['application/json;stream=watch', { mediaType: 'json' }],
    ['application/json;pretty=1', { pretty: true }],
  ])('%s', (accept, expected) => expect(negotiateOutput(accept, custom)).toMatchObject(expected));

  it('serves built-in kinds as protobuf, but no tables', () => {
    expect(negotiateOutput('application/vnd.kubernetes.protobuf, application/json', builtin)).toMatchObject({ mediaType: 'protobuf' });
    expect(negotiateOutput('*/*', builtin)).toMatchObject({ mediaType: 'json' });
    expect(
      negotiateOutput(
        'application/vnd.kubernetes.protobuf;as=Table;g=meta.k8s.io;v=v1,application/json;as=Table;g=meta.k8s.io;v=v1',
        builtin,
      ),
    ).toMatchObject({ mediaType: 'json', as: 'Table' });
  });

  it('lists what there is', () => {
    const served = 'application/json, application/yaml, application/vnd.kubernetes.protobuf';
    const representations = `406: Not Acceptable\n\nAvailable representations: ${served}`;
    const refusal = (accept: string, o: Parameters<typeof negotiateOutput>[1]): string => {
      try {
        return `taken as ${negotiateOutput(accept, o).mediaType}`;
      } catch (e) {
        return (e as Error).message;
      }
    };
    const streams = ', application/json;stream=watch, application/vnd.kubernetes.protobuf;stream=watch';
    expect(refusal('text/html', builtin)).toBe(representations);
    expect(refusal('text/html', { ...builtin, streams: true })).toBe(representations + streams);
    expect(refusal('application/*', builtin)).toBe(representations);
    expect(refusal('application/*;q=0.5,application/yaml', builtin)).toBe('taken as yaml');
    expect(refusal('application/*', { ...custom, protobuf: 'metadata' })).toBe('taken as json');
    expect(refusal('text/html', { ...custom, protobuf: 'metadata' })).toBe(`only the following media types are accepted: ${served}`);
    expect(() => negotiateOutput('application/json;as=Foo;g=meta.k8s.io;v=v1', custom)).toThrow(
      'only the following media types are accepted: application/json, application/yaml',
    );
    expect(() => negotiateOutput('application/json;as=Table;g=meta.k8s.io;v=v1', { ...custom, transformable: false })).toThrow(
      'only the following',
    );
  });
});

describe('wantsPretty', () => {
  it('follows the parameter, then the agent', () => {
    expect(wantsPretty(new URLSearchParams('pretty=0'), 'curl/7')).toBe(false);
    expect(wantsPretty(new URLSearchParams('pretty=true'), 'x')).toBe(true);
    expect(wantsPretty(new URLSearchParams(), 'curl/7')).toBe(true);
    expect(wantsPretty(new URLSearchParams(), 'kubectl/v1')).toBe(false);
  });
});
