import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const containerdBinary = '/usr/bin/containerd';
export const containerdBinaries = [containerdBinary, '/usr/bin/ctr', '/usr/bin/containerd-shim-runc-v2', '/bin/busybox'];

const renderConfig = (root: string, image: string): string => `version = 2
root = "${root}/root"
state = "${root}/state"
[grpc]
  address = "${root}/containerd.sock"
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "${image}"
  restrict_oom_score_adj = true
  disable_tcp_service = true
  stream_server_address = "127.0.0.1"
  stream_server_port = "0"
  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "${root}/cni/bin"
    conf_dir = "${root}/cni/conf"
  [plugins."io.containerd.grpc.v1.cri".containerd]
    snapshotter = "native"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"
  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.other]
    runtime_type = "io.containerd.runc.v2"
`;

/** An image in the form of \`docker save\` with busybox and its applets. */
async function writeImage(root: string, image: string): Promise<string> {
  const layer = path.join(root, 'image/layer');
  await mkdir(path.join(layer, 'bin'), { recursive: true });
  for (const name of ['tmp', 'etc', 'proc', 'sys', 'dev']) await mkdir(path.join(layer, name));
  await run('cp', ['/bin/busybox', path.join(layer, 'bin/busybox')]);
  for (const applet of ['sh', 'cat', 'sleep', 'echo', 'nc', 'touch']) await symlink('busybox', path.join(layer, 'bin', applet));
  await run('tar', ['-C', layer, '-cf', path.join(root, 'image/layer.tar'), '.']);
  const digest = createHash('sha256')
    .update(await readFile(path.join(root, 'image/layer.tar')))
    .digest('hex');
  const config = {
    architecture: process.arch === 'arm64' ? 'arm64' : 'amd64',
    os: 'linux',
    config: {
      Entrypoint: ['/bin/sh', '-c', 'trap "exit 0" TERM INT; while :; do sleep 1; done'],
      Env: ['PATH=/bin'],
      Volumes: { '/data': {} },
    },
    rootfs: { type: 'layers', diff_ids: [`sha256:${digest}`] },
  };
  await writeFile(path.join(root, 'image/config.json'), JSON.stringify(config));
  await writeFile(
    path.join(root, 'image/manifest.json'),
    JSON.stringify([{ Config: 'config.json', RepoTags: [image], Layers: ['layer.tar'] }]),
  );
  const archive = path.join(root, 'image.tar');
  await run('tar', ['-C', path.join(root, 'image'), '-cf', archive, 'manifest.json', 'config.json', 'layer.tar']);
  return archive;
}

interface PrivateContainerd {
  readonly endpoint: string;
  /** Ids of all containers there are. */
  list(): Promise<readonly string[]>;
  stop(): Promise<void>;
}

/** Starts a containerd of its own, with everything below `root`. */
export async function startContainerd(root: string, image: string): Promise<PrivateContainerd> {
  await writeFile(path.join(root, 'config.toml'), renderConfig(root, image));
  const archive = await writeImage(root, image);
  const child: ChildProcess = spawn(containerdBinary, ['--config', path.join(root, 'config.toml'), '--log-level', 'warn'], {
    stdio: ['ignore', 'ignore', 'pipe'],
    env: { ...process.env, PATH: `${process.env['PATH'] ?? ''}:/usr/sbin:/usr/bin` },
  });
  let output = '';
  child.stderr?.on('data', (chunk: Buffer) => (output = (output + chunk.toString()).slice(-20_000)));
  const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()));
  const socket = `${root}/containerd.sock`;
  const ctr = (...args: string[]): Promise<{ stdout: string }> => run('ctr', ['--address', socket, '-n', 'k8s.io', ...args]);
  for (let left = 600; ; left--) {
    try {
      await ctr('version');
      break;
    } catch (error) {
      if (left === 0 || child.exitCode !== null) throw new Error(`containerd does not start: ${output}`, { cause: error });
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
  await ctr('images', 'import', '--snapshotter', 'native', archive);
  return {
    endpoint: `unix://${socket}`,
    list: async () => (await ctr('containers', 'list', '-q')).stdout.split('\n').filter((id) => id !== ''),
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
