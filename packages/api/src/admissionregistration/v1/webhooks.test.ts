import { FieldErrors, formatFieldError } from '@skiff/apimachinery';
import { expect, it } from 'vitest';
import { validateWebhookUrl } from './webhooks.ts';

const https = (scheme: string): string =>
  `url: Invalid value: "${scheme}": 'https' is the only allowed URL scheme; desired format: https://host[/path]`;
const host = 'url: Invalid value: "": host must be specified; desired format: https://host[/path]';

/** What kube-apiserver 1.36 says. */
it.each([
  ['https://h/x', []],
  ['', [https(''), host]],
  ['abc', [https(''), host]],
  ['a b', [https(''), host]],
  ['/x', [https(''), host]],
  ['http://', [https('http'), host]],
  ['https://', [host]],
  ['https:///a', [host]],
  ['ftp://h', [https('ftp')]],
])('the URL of a webhook: %j', (url, expected) => {
  const errors = new FieldErrors();
  validateWebhookUrl(url, 'url', errors);
  expect(errors.list.map(formatFieldError)).toEqual(expected);
});
