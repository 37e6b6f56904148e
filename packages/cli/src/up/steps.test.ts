import { PassThrough } from 'node:stream';
import { expect, it } from 'vitest';
import { createSteps } from './steps.ts';

/** What a terminal, or a file, got. */
function output(isTTY: boolean): { out: NodeJS.WriteStream; text: () => string } {
  const out = Object.assign(new PassThrough(), { isTTY }) as unknown as NodeJS.WriteStream;
  return { out, text: () => String((out as unknown as PassThrough).read() ?? '') };
}

it.each([true, false])('prints control characters of others so that they can be read and do nothing (terminal: %s)', async (isTTY) => {
  const { out, text } = output(isTTY);
  const steps = createSteps(out, () => 0);
  steps.line('✗ node n: \u001b[2J\u001b]0;title\u0007 über\r✓ node n\u009b31m\r\n\tnext line');
  expect(text()).toBe('✗ node n: \\x1b[2J\\x1b]0;title\\x07 über\\x0d✓ node n\\x9b31m\n\tnext line\n');
  await steps.run('Deleting \u001b[8m', async (note) => note('pod \u001b[1A'));
  await steps
    .run('Leaving \u001b[8m', async () => {
      throw new Error('no');
    })
    .catch(() => undefined);
  const own = isTTY ? '\r\u001b[2K' : '';
  expect(text()).toBe(`${own}✓ Deleting \\x1b[8m: pod \\x1b[1A (0.0 s)\n${own}✗ Leaving \\x1b[8m (0.0 s)\n`);
});
