/**
 * One file for each process that runs for long: a third less to load at start and some 10 to 20 MiB less memory than hundreds of
 * modules. proxy-data stays as it is: it loads little. `mainOf` in packages/cli uses a bundle when nothing was built after it.
 */
import { join } from 'node:path';
import { build } from 'esbuild';
import { root } from './skiff.mjs';

/** etcd3 and dockerode load files beside their own, so they stay packages; so does the CRI over gRPC, which few kubelets load. */
const external = ['etcd3', 'dockerode', 'ssh2', 'cpu-features', '@skiff/cri/grpc'];
/** What a process loads only when it needs it. */
const later = { 'controller-manager': ['@skiff/cel'] };
const banner = "import { createRequire as skiffCreateRequire } from 'node:module'; const require = skiffCreateRequire(import.meta.url);";

/** Mains of threads that a process starts, beside its own. */
const threads = { apiserver: ['heavy/heavy-main.js', 'heavy/forms-main.js'] };

await Promise.all(
  ['apiserver', 'controller-manager', 'scheduler', 'kubelet', 'proxy'].map((name) =>
    build({
      entryPoints: ['main.js', ...(threads[name] ?? [])].map((file) => join(root, 'packages', name, 'dist', file)),
      outdir: join(root, 'packages', name, 'dist/bundle'),
      outbase: join(root, 'packages', name, 'dist'),
      bundle: true,
      platform: 'node',
      target: 'node20',
      format: 'esm',
      minifySyntax: true,
      minifyWhitespace: true,
      external: [...external, ...(later[name] ?? [])],
      banner: { js: banner },
      logLevel: 'error',
    }),
  ),
);
