/**
 * Checks the direction of imports, which `tsc -b` does not: each package may import the packages below it in the table and no
 * other, its package.json and tsconfig.json say the same, and nothing reaches into another package's files.
 */
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';

const layers: Readonly<Record<string, readonly string[]>> = {
  apimachinery: [],
  cel: ['apimachinery'],
  'component-base': [],
  api: ['apimachinery'],
  storage: ['apimachinery', 'component-base'],
  client: ['apimachinery', 'api', 'component-base'],
  tunnel: [],
  cri: ['apimachinery', 'component-base'],
  'cri-docker': ['apimachinery', 'component-base', 'cri'],
  apiserver: ['apimachinery', 'api', 'cel', 'component-base', 'storage', 'tunnel'],
  'controller-manager': ['apimachinery', 'api', 'cel', 'component-base', 'client'],
  scheduler: ['apimachinery', 'api', 'component-base', 'client'],
  kubelet: ['apimachinery', 'api', 'component-base', 'client', 'cri', 'tunnel'],
  proxy: ['apimachinery', 'api', 'component-base', 'client'],
  testing: ['*'],
  cli: ['*'],
};
/** Composition roots: the one file of a package that wires an implementation behind a contract. */
const compositionRoots: Readonly<Record<string, readonly string[]>> = { 'kubelet/src/main.ts': ['cri-docker'] };

function typescriptFiles(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { recursive: true, encoding: 'utf8' })
    .filter((f) => f.endsWith('.ts'))
    .map((f) => join(folder, f));
}

const problems: string[] = [];
for (const [name, allowed] of Object.entries(layers)) {
  const root = join('packages', name);
  const manifest = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')) as { dependencies?: Record<string, string> };
  const declared = Object.keys(manifest.dependencies ?? {})
    .filter((d) => d.startsWith('@skiff/'))
    .map((d) => d.slice('@skiff/'.length));
  const referenced =
    (JSON.parse(readFileSync(join(root, 'tsconfig.json'), 'utf8')) as { references?: { path: string }[] }).references ?? [];
  const references = referenced.map((r) => r.path.replace('../', ''));
  for (const d of declared)
    if (!references.includes(d)) problems.push(`${root}/tsconfig.json does not reference ${d}, which package.json depends on`);
  const used = new Set<string>();
  for (const file of ['src', 'test'].flatMap((d) => typescriptFiles(join(root, d)))) {
    const inSource = file.startsWith(`${root}/src/`) && !file.endsWith('.test.ts');
    const extra = compositionRoots[file.slice('packages/'.length)] ?? [];
    for (const match of readFileSync(file, 'utf8').matchAll(/(?:from|import)\s*\(?\s*'([^']+)'/g)) {
      const target = match[1] ?? '';
      if (target.includes('packages/')) problems.push(`${file}: imports ${target} by path`);
      if (!target.startsWith('@skiff/')) continue;
      const [, dependency = '', ...rest] = target.split('/');
      if (rest.length > 0 && !existsSync(join('packages', dependency))) problems.push(`${file}: ${target} is not a package`);
      used.add(dependency);
      const ok = allowed.includes('*') || allowed.includes(dependency) || extra.includes(dependency);
      if (inSource && !ok && dependency !== name) problems.push(`${file}: ${name} must not import ${dependency}`);
    }
  }
  for (const u of used)
    if (u !== name && !declared.includes(u) && !allowed.includes('*')) problems.push(`${root}: imports @skiff/${u} without declaring it`);
}
for (const problem of problems) console.error(problem);
if (problems.length > 0) process.exit(1);
console.log(`layers: ${Object.keys(layers).length} packages, imports point downwards`);
