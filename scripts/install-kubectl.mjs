/**
 * Brings a current kubectl (1.36) for the tests where the distribution's is too old: Debian unstable's package, unpacked into
 * a cache folder and not installed. Prints the path. Needs apt-get and dpkg; nothing on the host is changed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, readdirSync, realpathSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

/** A machine that has just come up looks for its own updates for a while, and a mirror fails to answer now and then. */
export const patientApt = ['-o', 'DPkg::Lock::Timeout=300', '-o', 'Acquire::Retries=5'];

const cache = process.env.SKIFF_CACHE ?? '/var/cache/skiff';

function sh(command, args, cwd) {
  const result = spawnSync(command, args, { cwd, encoding: 'utf8' });
  if (result.status !== 0)
    throw new Error(`${command} ${args.join(' ')} failed:\n${result.stderr || result.stdout || result.error?.message}`);
  return result.stdout;
}

/** The archive that this host already uses, as `deb [options] URI unstable main`. */
function unstableSource() {
  const folder = '/etc/apt/sources.list.d';
  const files = ['/etc/apt/sources.list', ...(existsSync(folder) ? readdirSync(folder).map((f) => join(folder, f)) : [])].filter(
    existsSync,
  );
  for (const file of files) {
    const text = readFileSync(file, 'utf8');
    const uri = file.endsWith('.sources') ? /^URIs:\s*(\S+)/m.exec(text)?.[1] : /^deb\s+(?:\[[^\]]*\]\s+)?(\S+)/m.exec(text)?.[1];
    if (uri !== undefined && /debian/.test(uri) && !/security/.test(uri)) {
      return `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${uri} unstable main\n`;
    }
  }
  throw new Error('no Debian archive is configured on this host; install kubectl 1.32 or newer by hand');
}

/** Unpacks a package of Debian unstable into the cache and returns the folder. Kept for the next run. */
export function unpackUnstable(name) {
  const target = join(cache, name);
  if (existsSync(target)) return target;
  const apt = join(cache, 'apt');
  mkdirSync(join(apt, 'lists/partial'), { recursive: true });
  mkdirSync(join(apt, 'archives/partial'), { recursive: true });
  writeFileSync(join(apt, 'sources.list'), unstableSource());
  const options = [
    ['Dir::Etc::sourcelist', join(apt, 'sources.list')],
    ['Dir::Etc::sourceparts', '/dev/null'],
    ['Dir::State::lists', join(apt, 'lists')],
    ['Dir::Cache::archives', join(apt, 'archives')],
    ['Dir::Cache::pkgcache', ''],
    ['Dir::Cache::srcpkgcache', ''],
    ['APT::Sandbox::User', 'root'],
  ].flatMap(([key, value]) => ['-o', `${key}=${value}`]);
  const known = readdirSync(join(apt, 'lists')).length >= 3;
  const download = () => sh('apt-get', [...options, ...patientApt, 'download', `${name}/unstable`], apt);
  const update = () => sh('apt-get', [...options, ...patientApt, 'update'], apt);
  if (!known) update();
  try {
    download();
  } catch (error) {
    // Lists of another day may name what the mirror has no more.
    if (!known) throw error;
    update();
    download();
  }
  const deb = readdirSync(apt).find((f) => f.startsWith(`${name}_`) && f.endsWith('.deb'));
  if (deb === undefined) throw new Error(`apt-get downloaded no package ${name}`);
  const fresh = `${target}.new-${process.pid}`;
  sh('dpkg', ['-x', join(apt, deb), fresh]);
  // Another process may have been first.
  if (existsSync(target)) rmSync(fresh, { recursive: true, force: true });
  else renameSync(fresh, target);
  return target;
}

/** A kubectl of 1.32 or newer, the first that resizes pods: the one in PATH if it is, else unstable's. */
export function ensureKubectl() {
  const found = spawnSync('kubectl', ['version', '--client', '-o', 'json'], { encoding: 'utf8' });
  if (found.status === 0) {
    const minor = Number.parseInt(JSON.parse(found.stdout).clientVersion?.minor ?? '0', 10);
    if (minor >= 32) return 'kubectl';
  }
  return join(unpackUnstable('kubectl'), 'usr/bin/kubectl');
}

/** Older kubectls that lie beside the one in PATH (as some distributions ship them, `kubectl.1.27`): the oldest from 1.27 on and one from the middle. */
export function otherKubectls() {
  const which = spawnSync('which', ['kubectl'], { encoding: 'utf8' });
  if (which.status !== 0) return [];
  const folder = dirname(realpathSync(which.stdout.trim()));
  const minor = (name) => Number(/^kubectl\.1\.(\d+)$/.exec(name)?.[1] ?? 0);
  const found = readdirSync(folder)
    .filter((name) => minor(name) >= 27)
    .sort((a, b) => minor(a) - minor(b))
    .map((name) => join(folder, name));
  return [...new Set([found[0], found[Math.floor(found.length / 2)]])].filter((path) => path !== undefined);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) console.log(ensureKubectl());
