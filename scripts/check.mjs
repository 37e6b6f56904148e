/** `npm run check`: format, lint, types, layers, dead code, generated files. All of them run; the exit code tells whether all passed. */
import { spawn } from 'node:child_process';
import { join } from 'node:path';
import { root } from './skiff.mjs';

const bin = (name) => join(root, 'node_modules/.bin', name);
const checks = [
  ['format', bin('biome'), ['format', '.']],
  ['lint', bin('oxlint'), ['--type-aware']],
  ['types', bin('tsc'), ['-b']],
  ['types of tests', bin('tsc'), ['-p', 'test/tsconfig.json']],
  ['layers', bin('tsx'), ['scripts/check-layers.ts']],
  ['dead code', bin('knip'), ['--no-config-hints']],
];

const results = await Promise.all(
  checks.map(
    ([name, command, args]) =>
      new Promise((resolve) => {
        const started = Date.now();
        const child = spawn(command, args, { cwd: root });
        let text = '';
        child.stdout.on('data', (d) => (text += d));
        child.stderr.on('data', (d) => (text += d));
        child.on('error', (error) => resolve({ name, ok: false, text: error.message, ms: 0 }));
        child.on('close', (code) => resolve({ name, ok: code === 0, text, ms: Date.now() - started }));
      }),
  ),
);
for (const r of results) {
  console.log(`${r.ok ? '✓' : '✗'} ${r.name} (${(r.ms / 1000).toFixed(1)} s)`);
  if (!r.ok) console.log(r.text.trimEnd());
}
process.exit(results.every((r) => r.ok) ? 0 : 1);
