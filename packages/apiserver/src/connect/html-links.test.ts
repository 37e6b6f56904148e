import { Readable } from 'node:stream';
import { gunzipSync, gzipSync } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { canRewriteLinks, createLinkRewriter, proxiedUrl, rewriteLinks } from './html-links.ts';

const at = { prefix: '/api/v1/namespaces/n/pods/p/proxy', backend: '10.0.0.1:8080', host: 'api.example.com' };
const rewrite = (url: string): string => proxiedUrl(url, at);
const page =
  '<!-- <a href="/x"> --><a class=b href="/one?a=1&amp;b=2">x</a><IMG src=/two.png><a href=\'three\'>é</a><script src="/s.js">"<a href=\'/no\'>"</script><br/>1 < 2';
const expected =
  `<!-- <a href="/x"> --><a class=b href="${at.prefix}/one?a=1&amp;b=2">x</a><IMG src=${at.prefix}/two.png><a href='three'>é</a>` +
  `<script src="${at.prefix}/s.js">"<a href='/no'>"</script><br/>1 < 2`;

describe('links of a proxied page', () => {
  it('are changed, nothing else is', () => {
    const r = createLinkRewriter(rewrite);
    expect(r.push(page) + r.end()).toBe(expected);
  });
  it('may be cut anywhere', () => {
    for (let cut = 1; cut < page.length; cut++) {
      const r = createLinkRewriter(rewrite);
      expect(r.push(page.slice(0, cut)) + r.push(page.slice(cut)) + r.end()).toBe(expected);
    }
  });
  it('are changed in compressed pages', async () => {
    const chunks = await rewriteLinks(Readable.from([gzipSync(Buffer.from(page))]), 'gzip', rewrite).toArray();
    expect(gunzipSync(Buffer.concat(chunks as Buffer[])).toString()).toBe(expected);
    expect(canRewriteLinks('text/html; charset=utf-8', 'gzip')).toBe(true);
    expect(canRewriteLinks('text/html', 'br')).toBe(false);
    expect(canRewriteLinks('text/plain', '')).toBe(false);
  });
});

describe('proxiedUrl', () => {
  it.each([
    ['/a', `${at.prefix}/a`],
    [`${at.prefix}/a`, `${at.prefix}/a`],
    ['a/b', 'a/b'],
    ['#top', '#top'],
    ['http://10.0.0.1:8080/a', `${at.prefix}/a`],
    ['https://api.example.com/a', `https://api.example.com${at.prefix}/a`],
    ['https://other.example.com/a', 'https://other.example.com/a'],
    ['//other.example.com/a', '//other.example.com/a'],
  ])('%s', (url, wanted) => {
    expect(rewrite(url)).toBe(wanted);
  });
});
