import type { Registry } from 'prom-client';
import { goPlatform, servedVersion } from '../discovery/version.ts';
import { registerSampled } from './sampled-metric.ts';

/** kubernetes_build_info: which version runs. */
export function registerBuildInfo(registers: readonly Registry[]): void {
  const name = 'kubernetes_build_info';
  const labels = {
    major: servedVersion.major,
    minor: servedVersion.minor,
    git_version: servedVersion.gitVersion,
    git_commit: '',
    git_tree_state: 'clean',
    build_date: '1970-01-01T00:00:00Z',
    go_version: `node-${process.version}`,
    compiler: 'node',
    platform: goPlatform(),
  };
  registerSampled(registers, {
    name,
    help: 'The version that runs.',
    type: 'gauge',
    sample: () => [{ metricName: name, labels, value: 1 }],
  });
}
