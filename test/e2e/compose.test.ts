import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import Docker from 'dockerode';
import { importHostImage, busyboxImage } from '@skiff/testing/host-image';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { unpackUnstable } from '../../scripts/install-kubectl.mjs';
import { nodeBaseImage } from './support/base-image.ts';
import { command, eventually, kubectls, repositoryRoot, type CommandResult } from './support/cluster.ts';
import { get } from './support/http.ts';
import { testImages } from './support/images.ts';

/** The compose file is used as it is, so the cluster has the default folder and ports: it runs where nothing else has them. */
const rootDir = '/var/lib/skiff';
const folder = mkdtempSync(join(tmpdir(), 'skiff-compose-'));
const clone = join(folder, 'skiff');
let env: NodeJS.ProcessEnv = {};

/** `docker compose`: the plugin of this machine, else Debian unstable's, found through a configuration folder of our own. */
async function composeEnvironment(): Promise<NodeJS.ProcessEnv> {
  if ((await command('docker', ['compose', 'version'])).code === 0 && (await command('docker', ['buildx', 'version'])).code === 0)
    return {};
  const plugins = join(folder, 'docker/cli-plugins');
  mkdirSync(plugins, { recursive: true });
  for (const name of ['docker-compose', 'docker-buildx'])
    symlinkSync(join(unpackUnstable(name), 'usr/libexec/docker/cli-plugins', name), join(plugins, name));
  return { DOCKER_CONFIG: join(folder, 'docker') };
}

async function pullOrImport(image: string, local: string, program: string): Promise<string> {
  if ((await command('docker', ['image', 'inspect', image])).code === 0) return image;
  if ((await command('docker', ['pull', '--quiet', image], { timeoutMs: 120_000 })).code === 0) return image;
  const path = (await command('which', [program])).stdout.trim();
  await importHostImage(new Docker(), { name: local, programs: [path], links: { [`/usr/local/bin/${program}`]: path }, command: [path] });
  return local;
}

const compose = (args: readonly string[], timeoutMs = 300_000): Promise<CommandResult> =>
  command('docker', ['compose', ...args], { cwd: clone, env, timeoutMs });
const kubectl = async (args: readonly string[], input?: string): Promise<string> => {
  const result = await command(
    kubectls()[0] ?? 'kubectl',
    ['--kubeconfig', join(clone, 'kubeconfig'), ...args],
    input === undefined ? {} : { input },
  );
  if (result.code !== 0) throw new Error(`kubectl ${args.join(' ')}: ${result.stderr}`);
  return result.stdout;
};

beforeAll(async () => {
  if (existsSync(rootDir)) throw new Error(`${rootDir} exists: this story needs a machine on which no cluster lives in the default folder`);
  await command('git', ['clone', '--quiet', repositoryRoot, clone]);
  env = {
    ...(await composeEnvironment()),
    NODE_IMAGE: await nodeBaseImage(),
    ETCD_IMAGE: await pullOrImport('quay.io/coreos/etcd:v3.5.21', 'skiff.test/etcd:1', 'etcd'),
    REDIS_IMAGE: await pullOrImport('redis:7', 'skiff.test/redis:1', 'redis-server'),
  };
  await importHostImage(new Docker(), busyboxImage(testImages.busybox));
}, 600_000);

afterAll(async () => {
  if (existsSync(join(clone, 'docker-compose.yml'))) {
    await compose(['down', '--timeout', '20']);
    await compose(['run', '--rm', 'wipe']);
  }
  rmSync(folder, { recursive: true, force: true });
  rmSync(rootDir, { recursive: true, force: true });
}, 300_000);

it('docker compose up gives a cluster that runs pods behind a Service', { timeout: 900_000 }, async () => {
  const up = await compose(['up', '--detach', '--build', '--quiet-pull'], 600_000);
  if (up.code !== 0) throw new Error(`${up.stdout}\n${up.stderr}\n${(await compose(['logs', '--tail', '20'])).stdout}`);
  const failed = async (error: unknown): Promise<never> => {
    throw new Error((await compose(['logs', '--tail', '15'])).stdout, { cause: error });
  };
  await eventually('the node is Ready', async () => /\sReady\s/.test(await kubectl(['get', 'nodes'])), 120_000).catch(failed);
  const manifest = {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: 'web', labels: { app: 'web' } },
    spec: {
      volumes: [{ name: 'www', configMap: { name: 'www' } }],
      containers: [
        {
          name: 'web',
          image: testImages.busybox,
          command: ['httpd', '-f', '-p', '8080', '-h', '/www'],
          volumeMounts: [{ name: 'www', mountPath: '/www' }],
        },
      ],
    },
  };
  await kubectl(['create', 'configmap', 'www', '--from-literal=index.html=from compose']);
  await kubectl(['apply', '-f', '-'], JSON.stringify(manifest));
  await kubectl(['wait', 'pod/web', '--for=condition=Ready', '--timeout=60s']).catch(failed);
  await kubectl(['expose', 'pod', 'web', '--port=80', '--target-port=8080']);
  const ip = await kubectl(['get', 'service', 'web', '-o', 'jsonpath={.spec.clusterIP}']);
  await eventually('the Service answers', async () => (await get(`http://${ip}/`)).join(' ') === 'from compose').catch(failed);
  expect(await kubectl(['exec', 'web', '--', 'hostname'])).toBe('web\n');
  const privileged = await command('docker', ['ps', '--quiet', '--filter', 'label=com.docker.compose.project=skiff']);
  for (const id of privileged.stdout.trim().split('\n')) {
    expect((await new Docker().getContainer(id).inspect()).HostConfig.Privileged).toBe(false);
  }
  await kubectl(['delete', 'pod', 'web', '--timeout=60s']);
});
