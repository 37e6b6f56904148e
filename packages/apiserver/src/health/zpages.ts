import type { PathRoute } from '../paths.ts';
import { textResponse } from '../request/responses.ts';

const notice =
  'Warning: This endpoint is not meant to be machine parseable, has no formatting compatibility guarantees and is for debugging purposes only.';

const page = (name: string, lines: readonly string[]): string => `\napiserver ${name}\n${notice}\n\n${lines.join('\n')}\n`;

/** Of URLs with a password in them, which goes from the first colon to the last `@`. */
const withoutPassword = (text: string): string => text.replace(/(:\/\/[^/\s:]*:)[^/\s]*@/g, '$1***@');

function duration(ms: number): string {
  const seconds = Math.floor(ms / 1000);
  return `${Math.floor(seconds / 3600)} hr ${Math.floor(seconds / 60) % 60} min ${seconds % 60} sec`;
}

function flagText(value: unknown): string {
  if (Array.isArray(value)) return `[${value.join(',')}]`;
  return typeof value === 'object' ? JSON.stringify(value) : String(value ?? '');
}

/** `/flagz` and `/statusz` (KEP-4828, KEP-4827): pages for people, in plain text only. */
export function zpages(o: {
  readonly flags: Readonly<Record<string, unknown>>;
  readonly startedMs: number;
  readonly nowMs: () => number;
  readonly binaryVersion: string;
  /** All paths that are served. */
  readonly paths: () => readonly string[];
}): readonly PathRoute[] {
  return [
    {
      path: '/flagz',
      handle: () => {
        const lines = Object.entries(o.flags)
          .sort(([a], [b]) => (a < b ? -1 : 1))
          .map(([name, value]) => `${name} ${withoutPassword(flagText(value))}`);
        return textResponse(200, page('flagz', lines));
      },
    },
    {
      path: '/statusz',
      handle: () => {
        const plain = o.paths().filter((p) => /^\/[a-z]+$/.test(p) && p !== '/api' && p !== '/apis');
        return textResponse(
          200,
          page('statusz', [
            `Started  ${new Date(o.startedMs).toUTCString()}`,
            `Up  ${duration(o.nowMs() - o.startedMs)}`,
            `Node.js version  ${process.versions.node}`,
            `Binary version  ${o.binaryVersion}`,
            'Emulation version  1.36',
            `Paths  ${plain.join(' ')}`,
          ]),
        );
      },
    },
  ];
}
