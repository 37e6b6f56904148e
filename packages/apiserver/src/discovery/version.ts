import type { PathRoute } from '../paths.ts';
import { objectResponse } from '../request/responses.ts';

/** The API that is served, and Skiff's own mark as semver build metadata. */
export const servedVersion = { major: '1', minor: '36', gitVersion: 'v1.36.2+skiff' } as const;

/** version.Info. Emulation and compatibility fields as upstream's since 1.33. */
export function versionRoute(platform: string): PathRoute {
  const info = {
    major: servedVersion.major,
    minor: servedVersion.minor,
    emulationMajor: servedVersion.major,
    emulationMinor: servedVersion.minor,
    minCompatibilityMajor: servedVersion.major,
    minCompatibilityMinor: '35',
    gitVersion: servedVersion.gitVersion,
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: `node-${process.version}`,
    compiler: 'node',
    platform,
  };
  // kubectl and client-go read it with a plain JSON decoder, indented since ever.
  return { path: '/version', handle: () => objectResponse(200, info, { mediaType: 'json', pretty: true }) };
}

/** `linux/amd64`, as Go names platforms. */
export const goPlatform = (): string => `${process.platform}/${process.arch === 'x64' ? 'amd64' : process.arch}`;
