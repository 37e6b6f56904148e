import { expect, it } from 'vitest';
import { renderAuth } from './image-pull.ts';

it.each(['p', 'pa', 'pas', 'pass'])('credentials for the engine are padded base64: %s', (password) => {
  const text = renderAuth({ username: 'u', password, serverAddress: 'r.example' });
  expect(text).toMatch(/^[\w-]+={0,2}$/);
  expect(text.length % 4).toBe(0);
  expect(JSON.parse(Buffer.from(text, 'base64url').toString())).toEqual({ username: 'u', password, serveraddress: 'r.example' });
});
