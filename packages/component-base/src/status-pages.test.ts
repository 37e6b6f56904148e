import { expect, it } from 'vitest';
import { renderFlagz, renderStatusz, takesText } from './status-pages.ts';

it('statusz and flagz are texts as upstream has them', () => {
  const startedAtMs = Date.UTC(2026, 10, 1, 9, 1, 47);
  const page = renderStatusz({
    component: 'kubelet',
    startedAtMs,
    nowMs: startedAtMs + 3_907_000,
    version: '1.36.2',
    paths: ['/pods', '/healthz'],
  });
  expect(page).toContain('\nkubelet statusz\nWarning: This endpoint');
  expect(page).toContain('\nStarted  Sun Nov  1 09:01:47 UTC 2026\nUp  1 hr 05 min 07 sec\n');
  expect(page).toContain('\nEmulation version  1.36\nPaths  /healthz /pods\n');
  const flags = renderFlagz('kubelet', { port: 1, 'a-list': ['x', 'y'], absent: undefined });
  expect(flags.endsWith('\n\na-list [x,y]\nabsent \nport 1\n')).toBe(true);
});

it.each([
  [undefined, true],
  ['*/*', true],
  ['application/json, text/plain', true],
  ['application/json', false],
])('%s', (accept, takes) => {
  expect(takesText(accept)).toBe(takes);
});
