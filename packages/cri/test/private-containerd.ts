import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { chmod, mkdir, readFile, symlink, writeFile } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);
const containerdBinary = '/usr/bin/containerd';
export const containerdBinaries = [containerdBinary, '/usr/bin/ctr', '/usr/bin/containerd-shim-runc-v2', '/bin/busybox'];

/** A CNI plugin that wires nothing, since the kubelet does; containerd wants to be told an address nevertheless. */
const plugin = `#!/bin/sh
cat >/dev/null
case "$CNI_COMMAND" in
VERSION) echo '{"cniVersion":"0.3.1","supportedVersions":["0.3.0","0.3.1"]}' ;;
ADD) echo '{"cniVersion":"0.3.1","interfaces":[{"name":"eth0","sandbox":"'"$CNI_NETNS"'"}],"ips":[{"version":"4","interface":0,"address":"192.0.2.1/32"}]}' ;;
esac
`;

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
`;

/** An image in the form of \`docker save\` with busybox and its applets. */
async function writeImage(root: string, image: string): Promise<string> {
  const layer = path.join(root, 'image/layer');
  await mkdir(path.join(layer, 'bin'), { recursive: true });
  for (const name of ['tmp', 'etc', 'proc', 'sys', 'dev']) await mkdir(path.join(layer, name));
  await run('cp', ['/bin/busybox', path.join(layer, 'bin/busybox')]);
  for (const applet of ['sh', 'cat', 'sleep', 'echo', 'nc']) await symlink('busybox', path.join(layer, 'bin', applet));
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

/** Starts a containerd of its own, with everything below `root`. */
export async function startContainerd(root: string, image: string): Promise<{ endpoint: string; stop: () => Promise<void> }> {
  for (const name of ['cni/bin', 'cni/conf']) await mkdir(path.join(root, name), { recursive: true });
  for (const name of ['loopback', 'wires-nothing']) {
    await writeFile(path.join(root, 'cni/bin', name), plugin);
    await chmod(path.join(root, 'cni/bin', name), 0o755);
  }
  const network = { cniVersion: '0.3.1', name: 'wires-nothing', plugins: [{ type: 'wires-nothing' }] };
  await writeFile(path.join(root, 'cni/conf/10.conflist'), JSON.stringify(network));
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
  const ctr = (...args: string[]): Promise<unknown> => run('ctr', ['--address', socket, '-n', 'k8s.io', ...args]);
  for (let left = 100; ; left--) {
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
    stop: async () => {
      child.kill('SIGTERM');
      await exited;
    },
  };
}
