import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { bytesOf, engineSize, readSettings, shownFlags } from './from-flags.ts';

const required = ['--kubeconfig=/k', '--node-ip=10.0.0.1', '--hostname-override=n'];
const head = 'apiVersion: kubelet.config.k8s.io/v1beta1\nkind: KubeletConfiguration\n';

describe('the configuration file', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'kubelet-config-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));
  const read = (text: string, ...args: string[]) => {
    const file = join(dir, 'config.yaml');
    writeFileSync(file, text.startsWith('kind:') ? text : head + text);
    return readSettings([`--config=${file}`, ...required, ...args]);
  };

  it('sets what flags set, and flags win', () => {
    const text =
      'maxPods: 20\nclusterDNS: [10.1.0.10]\nevictionHard: { memory.available: 5%, pid.available: "100" }\nimageMinimumGCAge: 5m\n';
    const { flags, configuration } = read(text);
    expect(flags).toMatchObject({ 'max-pods': 20, 'cluster-dns': ['10.1.0.10'], 'minimum-image-ttl-duration': 300_000 });
    expect(flags['eviction-hard']).toEqual(['memory.available<5%', 'pid.available<100']);
    expect(configuration).toMatchObject({
      kind: 'KubeletConfiguration',
      maxPods: 20,
      imageMinimumGCAge: '5m0s',
      evictionHard: { 'memory.available': '5%', 'pid.available': '100' },
      authentication: { webhook: { enabled: true }, anonymous: { enabled: false } },
      cpuCFSQuotaPeriod: '100ms',
    });
    expect(read(text, '--max-pods=30').flags['max-pods']).toBe(30);
  });

  it('is merged with the files of a directory, by name', () => {
    mkdirSync(join(dir, 'd'));
    writeFileSync(join(dir, 'd/20.conf'), `${head}evictionSoftGracePeriod: { memory.available: 2m }\n`);
    writeFileSync(
      join(dir, 'd/10.conf'),
      `${head}evictionSoft: { memory.available: 10% }\nevictionSoftGracePeriod: { memory.available: 1m }\n`,
    );
    writeFileSync(join(dir, 'd/ignored.yaml'), 'nonsense');
    const { flags } = read('maxPods: 7\n', `--config-dir=${join(dir, 'd')}`);
    expect(flags).toMatchObject({ 'max-pods': 7, 'eviction-soft-grace-period': ['memory.available=2m'] });
  });

  it.each([
    ['maxPodz: 3\n', 'strict decoding error: unknown field "maxPodz"'],
    ['authentication: { x509: { nothing: 1 } }\n', 'unknown field "authentication.x509.nothing"'],
    ['toString: 1\n', 'unknown field "toString"'],
    ['maxPods: many\n', 'maxPods: must be a whole number'],
    ['imageMinimumGCAge: 5 minutes\n', 'imageMinimumGCAge: must be a duration'],
    ['cpuManagerPolicy: static\n', 'cpuManagerPolicy: only "none" is supported, not "static"'],
    ['maxPods: 3\nmaxPods: 4\n', 'key "maxPods" already set in map'],
    ['kind: Pod\napiVersion: v1\n', 'it is not a KubeletConfiguration of kubelet.config.k8s.io/v1beta1'],
  ])('refuses %j', (text, message) => {
    expect(() => read(text)).toThrow(message);
  });

  it('tells which fields have no effect', () => {
    expect(read('registryPullQPS: 100\nkubeAPIQPS: 50\n').ignored).toEqual(['registryPullQPS']);
  });

  it('shows no headers for the URL of static pods, nor do flags', () => {
    const url = 'http://127.0.0.1/pods';
    const { flags, configuration } = read(`staticPodURL: ${url}\nstaticPodURLHeader: { Authorization: [Bearer x:y] }\n`);
    expect(flags['manifest-url-header']).toEqual(['Authorization:Bearer x:y']);
    expect(shownFlags(flags)).toMatchObject({ 'manifest-url': url, 'manifest-url-header': ['Authorization:<masked>'] });
    expect(configuration).toMatchObject({ staticPodURLHeader: { Authorization: ['<masked>'] } });
  });

  it('writes sizes in bytes for the engine', () => {
    expect(['10Mi', '10m', '512Ki'].map(engineSize)).toEqual(['10485760', '10m', '524288']);
  });
});

it.each([
  ['10m', 10_000_000],
  ['10Mi', 10_485_760],
  ['512', 512],
  ['1G', 1_000_000_000],
])('a log of %s has so many bytes', (text, bytes) => {
  expect(bytesOf(text)).toBe(bytes);
  expect(() => bytesOf(`${text}x`)).toThrow('10m');
});
