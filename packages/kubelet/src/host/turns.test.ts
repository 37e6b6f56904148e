import { expect, it } from 'vitest';
import { createTurns } from './turns.ts';

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

it('lets the first pass at once, and one more in each turn of the event loop, in their order', async () => {
  const myTurn = createTurns();
  const passed: number[] = [];
  for (let i = 0; i < 4; i++) void myTurn().then(() => passed.push(i));
  await Promise.resolve();
  const seen = [passed.length];
  for (let i = 0; i < 3; i++) {
    await turn();
    seen.push(passed.length);
  }
  expect(seen).toEqual([1, 2, 3, 4]);
  expect(passed).toEqual([0, 1, 2, 3]);
});

it('keeps nobody waiting when the last one was long ago', async () => {
  const myTurn = createTurns();
  await myTurn();
  await turn();
  await turn();
  let passed = false;
  void myTurn().then(() => {
    passed = true;
  });
  await Promise.resolve();
  expect(passed).toBe(true);
});
