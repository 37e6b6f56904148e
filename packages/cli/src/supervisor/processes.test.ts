import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';
import { smallNodeOptions } from './processes.ts';

it('the Node that runs this starts with the options of small processes; later ones are spared what they do not know', () => {
  const options = smallNodeOptions(process.versions.v8);
  expect(execFileSync(process.execPath, [...options, '-p', '1 + 1'], { encoding: 'utf8' })).toBe('2\n');
  expect(smallNodeOptions('11.3.244.8-node.33').join()).toContain('interrupt-budget');
  expect(smallNodeOptions('13.6.233.17-node.53').join()).not.toContain('interrupt-budget');
});
