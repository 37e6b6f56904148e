import { readFile, stat } from 'node:fs/promises';
import type { RunCommand } from './run-command.ts';

/**
 * Every mount is made in the mount namespace of the engine, through this one seam: so the kubelet works alike as a process and
 * as a container, and no mount has to propagate.
 */
export interface HostMount {
  /** The path by which this process reaches what the engine has at `path`; the same where they share their mounts. */
  local(path: string): string;
  /** Mount points at or below a directory, deepest first. */
  mountsBelow(directory: string): Promise<readonly string[]>;
  /** The engine may have been restarted: finds its namespace again. */
  refresh(): Promise<void>;
  /** Mounts a tmpfs on an existing directory. `sizeBytes`: absent is the kernel's default. */
  tmpfs(target: string, o: { readonly mode: string; readonly sizeBytes?: number }): Promise<void>;
  /**
   * Binds what `subPath` names inside `volume` to `target` (created as needed). Missing directories get the volume's own mode. Links on
   * the way are followed only inside the volume, and what is checked is what is mounted, whatever is swapped meanwhile.
   */
  bindSubPath(o: { readonly volume: string; readonly subPath: string; readonly target: string }): Promise<void>;
  /** Binds a directory or device of the node to an existing `target`; `options` as in mount(8), for this mount alone. */
  bind(source: string, target: string, options: readonly string[]): Promise<void>;
  /** Changes the flags of one mount; others of the same file system keep theirs. */
  remount(target: string, options: readonly string[]): Promise<void>;
  /** Mounts a file system; `type` is one that the node's mount(8) knows. */
  mount(o: { readonly type: string; readonly source: string; readonly target: string; readonly options: readonly string[] }): Promise<void>;
  /** Mounts a block device; one without any content gets a file system first (`fsType`, ext4 when empty). */
  formatAndMount(o: {
    readonly device: string;
    readonly target: string;
    readonly fsType: string;
    readonly options: readonly string[];
  }): Promise<void>;
  /** Whether mounts spread from and to the mount that a path is on, as the kernel has it. */
  propagationOf(path: string): Promise<'shared' | 'slave' | 'private'>;
  /** Unmounts what is mounted at the path, if anything is. */
  unmount(target: string): Promise<void>;
  /** `directory`, `file`, `socket`, `char`, `block`, `other`, or undefined when nothing is there. */
  typeOf(path: string): Promise<PathType | undefined>;
  makeDirectory(path: string, mode: string): Promise<void>;
  makeFile(path: string, mode: string): Promise<void>;
}

export type PathType = 'directory' | 'file' | 'socket' | 'char' | 'block' | 'other';

/** One component after the other from inside the volume; `pwd -P` is asked after each step, so a link can't lead out. */
const bindScript = `
set -eu
volume=$1 sub=$2 target=$3
cd -P -- "$volume"
mode=$(stat -c %a .)
root=$(pwd -P)
inside() { here=$(pwd -P); case "$here/" in "$root"/*) ;; *) echo "subPath leads out of the volume" >&2; exit 3;; esac; }
rest=$sub
while :; do
  part=\${rest%%/*}
  case $rest in */*) rest=\${rest#*/};; *) rest=;; esac
  if [ -n "$part" ] && [ "$part" != . ]; then
    made=
    if [ ! -e "./$part" ] && [ ! -L "./$part" ]; then mkdir -m 700 "./$part"; made=yes; fi
    if [ -z "$rest" ] && [ ! -d "./$part" ]; then
      [ -f "./$part" ] || { echo "subPath is neither a file nor a directory" >&2; exit 3; }
      exec 3<"./$part"
      found=$(readlink /proc/self/fd/3)
      case "$found" in "$root"/*) ;; *) echo "subPath leads out of the volume" >&2; exit 3;; esac
      mkdir -p -- "\${target%/*}"; [ -e "$target" ] || : > "$target"
      exec mount --no-canonicalize --bind -- /proc/self/fd/3 "$target"
    fi
    cd -P "./$part"
    inside
    # By the directory itself: its name may be a link to somewhere else by now.
    if [ -n "$made" ]; then chmod "$mode" .; fi
  fi
  [ -n "$rest" ] || break
done
mkdir -p -- "$target"
exec mount --no-canonicalize --bind -- . "$target"
`;

/** blkid says 2 when it finds nothing on a device that it can read. Whatever else it finds is never written over. */
const formatScript = `
set -eu
device=$1 target=$2 type=$3 options=$4
code=0
found=$(blkid -p -s TYPE -s PTTYPE -o value -- "$device") || code=$?
if [ "$code" = 2 ] && [ -z "$found" ]; then
  case "$options" in ro|ro,*|*,ro|*,ro,*) echo "cannot mount unformatted disk $device as it is in read-only mode" >&2; exit 3;; esac
  case "$type" in ext3|ext4) mkfs.$type -q -F -m0 -- "$device";; *) mkfs.$type -q -- "$device";; esac
elif [ "$code" != 0 ]; then echo "blkid can't read $device (exit code $code)" >&2; exit 3
elif [ "$found" != "$type" ]; then echo "the disk $device already contains $found, not $type" >&2; exit 3
fi
exec mount -t "$type" -o "$options" -- "$device" "$target"
`;

const typeScript = `
if [ ! -e "$1" ]; then exit 0; fi
if [ -d "$1" ]; then echo directory; elif [ -f "$1" ]; then echo file; elif [ -S "$1" ]; then echo socket
elif [ -c "$1" ]; then echo char; elif [ -b "$1" ]; then echo block; else echo other; fi
`;

/** Whether a process has another mount namespace than this one. */
async function hasOtherMounts(pid: number): Promise<boolean> {
  const [own, its] = await Promise.all([stat('/proc/self/ns/mnt'), stat(`/proc/${pid}/ns/mnt`)]);
  return own.ino !== its.ino;
}

const decodeMountPath = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)));

/** Mount points at or below a directory, deepest first. */
export function parseMountsBelow(mountinfo: string, directory: string): string[] {
  // Of a node's thousand mounts few are asked for, often none. Only what is written as it is can be found before it is decoded.
  const plain = /^[\w/.-]+$/.test(directory);
  if (plain && !mountinfo.includes(directory)) return [];
  return mountinfo
    .split('\n')
    .filter((line) => !plain || line.includes(directory))
    .map((line) => decodeMountPath(line.split(' ')[4] ?? ''))
    .filter((target) => target === directory || target.startsWith(`${directory}/`))
    .sort((a, b) => b.length - a.length);
}

/** How the mount that has a path spreads (mountinfo's optional fields). */
export function parsePropagation(mountinfo: string, path: string): 'shared' | 'slave' | 'private' {
  let best = '';
  let fields: readonly string[] = [];
  for (const line of mountinfo.split('\n')) {
    const words = line.split(' ');
    const target = decodeMountPath(words[4] ?? '');
    if (target === '' || target.length < best.length) continue;
    if (path !== target && !path.startsWith(target === '/' ? '/' : `${target}/`)) continue;
    // Of mounts on one another the last is on top.
    best = target;
    fields = words.slice(6, words.indexOf('-'));
  }
  if (fields.some((f) => f.startsWith('shared:'))) return 'shared';
  return fields.some((f) => f.startsWith('master:')) ? 'slave' : 'private';
}

/** `findEngine`: the engine's process, undefined when it can't be seen; then this process' own namespace has to do. */
export async function createHostMount(run: RunCommand, findEngine: () => Promise<number | undefined>): Promise<HostMount> {
  let foreign: number | undefined;
  const refresh = async (): Promise<void> => {
    const pid = await findEngine();
    foreign = pid !== undefined && (await hasOtherMounts(pid).catch(() => false)) ? pid : undefined;
  };
  await refresh();
  const exec = (command: string, ...args: readonly string[]): Promise<string> =>
    foreign === undefined ? run(command, args) : run('nsenter', ['-t', String(foreign), '-m', '--', command, ...args]);
  const unmount = async (target: string): Promise<void> => {
    await exec('umount', '--no-canonicalize', '--', target).catch((error: Error) => {
      if (!/not mounted|no mount point|not found|No such file/.test(error.message)) throw error;
    });
  };
  const remount = async (target: string, options: readonly string[]): Promise<void> => {
    await exec('mount', '-o', ['remount', 'bind', ...options].join(','), '--', target);
  };
  return {
    refresh,
    local: (path) => (foreign === undefined ? path : `/proc/${foreign}/root${path}`),
    mountsBelow: async (directory) => parseMountsBelow(await readFile(`/proc/${foreign ?? 'self'}/mountinfo`, 'utf8'), directory),
    tmpfs: async (target, o) => {
      const options = `mode=${o.mode}${o.sizeBytes === undefined ? '' : `,size=${o.sizeBytes}`}`;
      // noswap (Linux 6.4) keeps secrets off the disk; older kernels don't know it.
      await exec('mount', '-t', 'tmpfs', '-o', `${options},noswap`, '--', 'tmpfs', target).catch(() =>
        exec('mount', '-t', 'tmpfs', '-o', options, '--', 'tmpfs', target),
      );
    },
    bindSubPath: async (o) => {
      await exec('sh', '-c', bindScript, 'sh', o.volume, o.subPath, o.target);
    },
    bind: async (source, target, options) => {
      await exec('mount', '--bind', '--', source, target);
      // The kernel takes flags of a bind only when it is mounted again.
      if (options.length === 0) return;
      await remount(target, options).catch(async (error: unknown) => {
        // What is mounted is taken for done the next time, so nothing may be without its flags.
        await unmount(target);
        throw error;
      });
    },
    remount,
    mount: async ({ type, source, target, options }) => {
      await exec('mount', '-t', type, ...(options.length === 0 ? [] : ['-o', options.join(',')]), '--', source, target);
    },
    formatAndMount: async ({ device, target, fsType, options }) => {
      const type = fsType === '' ? 'ext4' : fsType;
      if (!/^[a-z0-9]+$/.test(type)) throw new Error(`"${type}" is no file system`);
      await exec('sh', '-c', formatScript, 'sh', device, target, type, ['defaults', ...options].join(','));
    },
    propagationOf: async (path) => {
      const real = (await exec('realpath', '-m', '--', path)).trim();
      return parsePropagation(await readFile(`/proc/${foreign ?? 'self'}/mountinfo`, 'utf8'), real);
    },
    unmount,
    typeOf: async (path) => {
      const said = (await exec('sh', '-c', typeScript, 'sh', path)).trim();
      return said === '' ? undefined : (said as PathType);
    },
    makeDirectory: async (path, mode) => {
      await exec('mkdir', '-p', '-m', mode, '--', path);
    },
    makeFile: async (path, mode) => {
      await exec('sh', '-c', ': >> "$1" && chmod -- "$2" "$1"', 'sh', path, mode);
    },
  };
}
