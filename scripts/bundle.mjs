/**
 * One file for each process that runs for long: a third less to load at start and some 10 to 20 MiB less memory than hundreds of
 * modules. What a process imports only when it needs it stands in files beside. proxy-data stays as it is: it loads little. `mainOf` in
 * packages/cli uses a bundle when nothing was built after it.
 */
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { createRequire, isBuiltin } from 'node:module';
import { dirname, join } from 'node:path';
import { build } from 'esbuild';
import { root } from './skiff.mjs';

/** etcd3 loads files beside its own, so it stays a package; so does the CRI over gRPC, which few kubelets load. */
const external = ['etcd3', '@skiff/cri/grpc'];
/** What a process loads only when it needs it. */
const later = { 'controller-manager': ['@skiff/cel'] };
/** Where that is part of the bundle, it stands in files beside main.js. */
const split = ['kubelet'];
/** What every host runs. */
const node = ['kubelet', 'proxy'];
const banner = "import { createRequire as skiffCreateRequire } from 'node:module'; const require = skiffCreateRequire(import.meta.url);";

/** Mains of threads that a process starts, beside its own. */
const threads = { apiserver: ['heavy/heavy-main.js', 'heavy/forms-main.js'] };

/**
 * What libraries load at their start for uses that nobody makes of them here: SSH to an engine, BuildKit, tar files of builds, gRPC
 * services that are described at run time. Each is loaded when it is called. By importing package: module → its functions ('' for itself).
 */
const seldom = {
  'docker-modem': { './ssh': [''] },
  dockerode: { './session': [''], './buildkit': ['followProgress'], 'tar-fs': ['pack'], '@balena/dockerignore': [''] },
  '@grpc/grpc-js': { '@grpc/proto-loader': ['loadSync'] },
  // Metrics of the process that nobody collects by it, a gateway and a cluster of processes.
  'prom-client': {
    './lib/defaultMetrics': [''],
    './lib/pushgateway': [''],
    './lib/summary': [''],
    './lib/cluster': [''],
    './lib/metricAggregators': [''],
  },
};
const loadSeldomLate = {
  name: 'load-seldom-late',
  setup(b) {
    const loads = new Map();
    b.onResolve({ filter: /./ }, ({ path, importer, namespace, kind }) => {
      if (namespace === 'seldom') return { path, external: true };
      const owner = /.*\/node_modules\/((?:@[^/]+\/)?[^/]+)\//.exec(importer)?.[1] ?? '';
      const functions = kind === 'require-call' ? seldom[owner]?.[path] : undefined;
      if (functions === undefined) return undefined;
      const file = path.startsWith('./') ? `${owner}/lib/${path.replace(/^\.\/(lib\/)?/, '')}.js` : path;
      loads.set(file, functions);
      return { path: file, namespace: 'seldom' };
    });
    b.onLoad({ filter: /./, namespace: 'seldom' }, ({ path }) => {
      const load = (name) => `require('${path}')${name === '' ? '' : `.${name}`}`;
      const late = (name) => `function (...args) { return new.target ? new (${load(name)})(...args) : ${load(name)}(...args); }`;
      const functions = loads.get(path);
      const one = functions[0] === '';
      return { contents: `module.exports = ${one ? late('') : `{ ${functions.map((f) => `${f}: ${late(f)}`).join(', ')} }`};` };
    });
  },
};

/**
 * Of a package in CommonJS that is imported late esbuild exports nothing but `default`, where Node finds the names: here they are asked
 * for while the bundle is made.
 */
const exportNames = {
  name: 'export-names',
  setup(b) {
    b.onResolve({ filter: /^[^./]/ }, async ({ path, importer, resolveDir, kind, pluginData }) => {
      if (kind !== 'dynamic-import' || pluginData === exportNames) return undefined;
      const { path: file, external: isExternal } = await b.resolve(path, { importer, resolveDir, kind, pluginData: exportNames });
      return isExternal || isBuiltin(path) || file === '' || isModule(file) ? undefined : { path: file, namespace: 'names' };
    });
    b.onLoad({ filter: /./, namespace: 'names' }, ({ path }) => {
      const names = Object.keys(createRequire(path)(path)).filter((n) => /^[A-Za-z_$][\w$]*$/.test(n) && n !== 'default');
      const file = JSON.stringify(path);
      return {
        contents: `import * as all from ${file}; export default all; export const { ${names.join(', ')} } = all;`,
        resolveDir: dirname(path),
      };
    });
  },
};
/** Whether Node takes a file for an ECMAScript module. */
function isModule(file) {
  if (file.endsWith('.mjs') || file.endsWith('.cjs')) return file.endsWith('.mjs');
  for (let folder = dirname(file); folder !== dirname(folder); folder = dirname(folder))
    if (existsSync(join(folder, 'package.json'))) return JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')).type === 'module';
  return false;
}

/** The text of the built-in schemas, for processes that read it for few pods or none: a file beside main.js, read when it is asked for. */
const readSchemasLate = {
  name: 'read-schemas-late',
  setup(b) {
    b.onLoad({ filter: /\/api\/dist\/generated\/schema-data\.js$/ }, async ({ path }) => {
      const { schemaData } = await import(path);
      const name = `part-${createHash('sha256').update(schemaData).digest('hex').slice(0, 12)}.txt`;
      mkdirSync(b.initialOptions.outdir, { recursive: true });
      writeFileSync(join(b.initialOptions.outdir, name), schemaData);
      const file = `new URL('${name}', import.meta.url)`;
      return { contents: `import { readFileSync } from 'node:fs'; export const schemaData = () => readFileSync(${file}, 'utf8');` };
    });
  },
};

/** Which parts a bundle consists of: those that its main names, and those that they name. */
function partsOf(folder) {
  const found = new Set();
  const visit = (name) => {
    for (const [part] of existsSync(join(folder, name)) ? readFileSync(join(folder, name), 'utf8').matchAll(/part-\w+\.(js|txt)/g) : []) {
      if (found.has(part)) continue;
      found.add(part);
      if (part.endsWith('.js')) visit(part);
    }
  };
  visit('main.js');
  return found;
}

/**
 * Files beside a main have names by their content: a process that runs finds its own after a later build. Those of a build go with
 * the first one that is made more than a day after they were replaced.
 */
function removeOld(folder, before) {
  const current = partsOf(folder);
  const now = new Date();
  for (const name of before) if (!current.has(name) && existsSync(join(folder, name))) utimesSync(join(folder, name), now, now);
  for (const name of readdirSync(folder)) {
    const file = join(folder, name);
    if (name.startsWith('part-') && !current.has(name) && Date.now() - statSync(file).mtimeMs > 86_400_000) rmSync(file);
  }
}

await Promise.all(
  ['apiserver', 'controller-manager', 'scheduler', 'kubelet', 'proxy'].map(async (name) => {
    const outdir = join(root, 'packages', name, 'dist/bundle');
    const before = partsOf(outdir);
    await build({
      entryPoints: ['main.js', ...(threads[name] ?? [])].map((file) => join(root, 'packages', name, 'dist', file)),
      outdir,
      outbase: join(root, 'packages', name, 'dist'),
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      splitting: split.includes(name),
      chunkNames: 'part-[hash]',
      plugins: [exportNames, loadSeldomLate, ...(node.includes(name) ? [readSchemasLate] : [])],
      minifySyntax: true,
      minifyWhitespace: true,
      external: [...external, ...(later[name] ?? [])],
      banner: { js: banner },
      logLevel: 'error',
    });
    removeOld(outdir, before);
  }),
);
