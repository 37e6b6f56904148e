import { spawnSync } from 'node:child_process';
import {
  copyFileSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  realpathSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { command } from './cluster.ts';

async function ok(program: string, args: readonly string[], o: Parameters<typeof command>[2] = {}): Promise<string> {
  const result = await command(program, args, { timeoutMs: 300_000, ...o });
  if (result.code !== 0)
    throw new Error(`${program} ${args.join(' ')} failed:\n${result.stdout.slice(-2000)}${result.stderr.slice(-2000)}`);
  return result.stdout;
}

/** The archive this host uses, for debootstrap. */
function debianArchive(): string {
  const folder = '/etc/apt/sources.list.d';
  const files = ['/etc/apt/sources.list', ...(existsSync(folder) ? readdirSync(folder).map((f) => join(folder, f)) : [])].filter((f) =>
    existsSync(f),
  );
  for (const file of files) {
    const uri = /(?:^URIs:\s*|^deb\s+(?:\[[^\]]*\]\s+)?)(\S*debian\S*)/m.exec(readFileSync(file, 'utf8'))?.[1];
    if (uri !== undefined && !uri.includes('security')) return uri;
  }
  throw new Error('no Debian archive is configured on this host');
}

/**
 * An image with Debian 12, this machine's Node.js and npm, to build on where the public one can't be pulled. Made once with
 * debootstrap (about half a minute) and kept in the engine.
 */
export async function nodeBaseImage(): Promise<string> {
  const pulled = 'node:24-bookworm-slim';
  if ((await command('docker', ['image', 'inspect', pulled])).code === 0) return pulled;
  if ((await command('docker', ['pull', '--quiet', pulled], { timeoutMs: 120_000 })).code === 0) return pulled;
  const local = 'skiff.test/node-base:1';
  if ((await command('docker', ['image', 'inspect', local])).code === 0) return local;
  if (spawnSync('debootstrap', ['--version']).error !== undefined)
    await ok('apt-get', ['install', '-y', '--no-install-recommends', 'debootstrap']);
  const folder = mkdtempSync(join(tmpdir(), 'skiff-base-'));
  try {
    const rootfs = join(folder, 'rootfs');
    await ok('debootstrap', ['--variant=minbase', 'bookworm', rootfs, debianArchive()]);
    const node = realpathSync(process.execPath);
    const npm = ['../lib/node_modules/npm', '../../lib/node_modules/npm'].map((p) => join(dirname(node), p)).find((p) => existsSync(p));
    if (npm === undefined) throw new Error('npm was not found beside node');
    mkdirSync(join(rootfs, 'usr/local/lib/node_modules'), { recursive: true });
    copyFileSync(node, join(rootfs, 'usr/local/bin/node'));
    cpSync(realpathSync(npm), join(rootfs, 'usr/local/lib/node_modules/npm'), { recursive: true });
    symlinkSync('../lib/node_modules/npm/bin/npm-cli.js', join(rootfs, 'usr/local/bin/npm'));
    mkdirSync(join(rootfs, 'etc/ssl/certs'), { recursive: true });
    const authorities = '/etc/ssl/certs/ca-certificates.crt';
    if (existsSync(authorities)) copyFileSync(authorities, join(rootfs, authorities));
    const tar = join(folder, 'rootfs.tar');
    await ok('tar', ['-C', rootfs, '--numeric-owner', '-cf', tar, '.']);
    await ok('docker', ['import', '-c', `ENV NODE_EXTRA_CA_CERTS=${authorities}`, '-c', 'CMD ["node"]', tar, local]);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
  return local;
}
