import type { DeepReadonly } from '@skiff/apimachinery';
import type { Volume, VolumeProjection } from '../../../generated/types/core-v1.ts';

interface PathOf {
  readonly path: string;
  /** What puts it there, in projected volumes. */
  readonly source: string;
}

const format = ({ path, source }: PathOf): string => (source === '' ? JSON.stringify(path) : `${JSON.stringify(path)} (${source})`);

/** One is the other, or lies below it. */
const overlaps = (a: string, b: string): boolean => a !== '' && b !== '' && (`${a}/`.startsWith(`${b}/`) || `${b}/`.startsWith(`${a}/`));

function overlapsAmong(paths: readonly PathOf[]): string[] {
  const trimmed = paths.map(({ path, source }) => ({ path: path.replace(/\/+$/, ''), source }));
  return trimmed.flatMap((p, i) =>
    trimmed
      .slice(0, i)
      .filter((other) => overlaps(p.path, other.path))
      .map((other) => `${format(p)} with ${format(other)}`),
  );
}

const pathsOf = (items: readonly { readonly path: string }[] | undefined, source = ''): PathOf[] =>
  (items ?? []).map(({ path }) => ({ path: path ?? '', source }));

function projectedPaths(source: DeepReadonly<VolumeProjection>): PathOf[] {
  if (source.configMap?.items) return pathsOf(source.configMap.items, `ConfigMap ${JSON.stringify(source.configMap.name ?? '')}`);
  if (source.secret?.items) return pathsOf(source.secret.items, `Secret ${JSON.stringify(source.secret.name ?? '')}`);
  if (source.downwardAPI?.items) return pathsOf(source.downwardAPI.items, 'DownwardAPI');
  return source.serviceAccountToken ? pathsOf([source.serviceAccountToken], 'ServiceAccountToken') : [];
}

/** Files of a volume that hide one another. */
export function overlappingPathWarnings(volumes: readonly DeepReadonly<Volume>[]): string[] {
  return volumes.flatMap((volume) => {
    const warn = (kind: string, paths: readonly PathOf[]): string[] =>
      overlapsAmong(paths).map((text) => `volume ${JSON.stringify(volume.name)} (${kind}): overlapping paths: ${text}`);
    const sources = volume.projected?.sources ?? [];
    const empty = sources.filter((s) => Object.values(s).every((v) => v === undefined));
    return [
      ...(volume.configMap ? warn(`ConfigMap ${JSON.stringify(volume.configMap.name ?? '')}`, pathsOf(volume.configMap.items)) : []),
      ...(volume.secret ? warn(`Secret ${JSON.stringify(volume.secret.secretName ?? '')}`, pathsOf(volume.secret.items)) : []),
      ...(volume.downwardAPI ? warn('DownwardAPI', pathsOf(volume.downwardAPI.items)) : []),
      ...empty.map(() => `volume ${JSON.stringify(volume.name)} (Projected) has no sources provided`),
      ...warn('Projected', sources.flatMap(projectedPaths)),
    ];
  });
}
