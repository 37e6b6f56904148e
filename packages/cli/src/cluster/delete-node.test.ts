import { expect, it } from 'vitest';
import type { ApiAnswer } from './api-request.ts';
import { deleteNode } from './delete-node.ts';

const access = { servers: ['https://127.0.0.1:1'], ca: undefined };
/** Gives the answers one after the other, the last one again and again. */
const answering = (...codes: number[]): { asked: () => number; request: () => Promise<ApiAnswer> } => {
  let asked = 0;
  return {
    asked: () => asked,
    request: () => {
      const code = codes[Math.min(asked++, codes.length - 1)] ?? 0;
      if (code === 0) return Promise.reject(new Error('cut'));
      return Promise.resolve({ code, body: JSON.stringify({ message: `status ${code}` }), server: '', serverTimeMs: 0, localAddress: '' });
    },
  };
};

it('a node is gone when somebody says so, though the first one asked did not know what came of it', async () => {
  const servers = answering(504, 404);
  expect(await deleteNode(access, 'h3', servers)).toBeUndefined();
  expect(servers.asked()).toBe(2);
});

it('tells at once what asking again does not change, and at the end what it does not know', async () => {
  const refusing = answering(403);
  expect(await deleteNode(access, 'h3', refusing)).toContain('403');
  expect(refusing.asked()).toBe(1);
  expect(await deleteNode(access, 'h3', { ...answering(0), withinMs: 500 })).toBe('cut');
});
