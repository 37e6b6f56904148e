import { expect, it } from 'vitest';
import { stringFormatOf } from './formats.ts';

it.each<[string, string[], string[]]>([
  ['ipv4', ['10.0.0.1'], ['10.0.0', '::1']],
  ['ipv6', ['::1', '2001:db8::'], ['10.0.0.1', 'fe80::1%eth0']],
  ['cidr', ['10.0.0.0/8', '::/0'], ['10.0.0.0', '10.0.0.0/33']],
  ['mac', ['01:23:45:67:89:ab', '0123.4567.89ab'], ['01:23', 'x']],
  ['uuid', ['123e4567-e89b-12d3-a456-426614174000'], ['123']],
  ['uuid4', ['123e4567-e89b-42d3-a456-426614174000'], ['123e4567-e89b-12d3-a456-426614174000']],
  ['isbn', ['0321751043', '978-0321751041'], ['0321751044']],
  ['creditcard', ['4111 1111 1111 1111'], ['4111 1111 1111 1112']],
  ['hexcolor', ['#FFF', 'a0b1c2'], ['#FFFF']],
  ['rgbcolor', ['rgb(1, 2,255)'], ['rgb(1,2,256)']],
  ['byte', ['aGk=', 'aGVsbG8h'], ['aGk', '***']],
  ['date', ['2024-02-29'], ['2023-02-29', 'x']],
  ['date-time', ['2014-12-15T19:30:20.000Z'], ['2014-12-15']],
  ['duration', ['22 ns', '1h30m', '3 days'], ['x']],
  ['email', ['a@example.com'], ['a@', 'example.com']],
  ['hostname', ['a.example.com', 'localhost'], ['-a', 'a_b c']],
  ['uri', ['http://a/b', '/a'], ['a b', 'x']],
  ['k8s-short-name', ['a-b'], ['A', 'a-']],
  ['k8s-long-name', ['a.b-c'], ['a..b']],
])('%s', (format, good, bad) => {
  const check = stringFormatOf({ type: 'string', format })!;
  expect(good.map(check)).toEqual(good.map(() => true));
  expect(bad.map(check)).toEqual(bad.map(() => false));
});

it('knows no others, and none on other types', () => {
  expect([stringFormatOf({ type: 'string', format: 'zebra' }), stringFormatOf({ type: 'integer', format: 'ipv4' })]).toEqual([
    undefined,
    undefined,
  ]);
});
