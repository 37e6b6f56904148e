/** A Docker image reference taken apart (distribution/reference, familiar names). */
export interface ImageName {
  /** `docker.io` when none is named. */
  readonly domain: string;
  readonly path: string;
  readonly tag: string | undefined;
  readonly digest: string | undefined;
}

const isDomain = (part: string): boolean => part.includes('.') || part.includes(':') || part === 'localhost' || part !== part.toLowerCase();

/** `busybox` → docker.io, library/busybox, latest. A name with a digest keeps its tag undefined when it has none. */
export function parseImageName(name: string): ImageName {
  const at = name.indexOf('@');
  const digest = at < 0 ? undefined : name.slice(at + 1);
  let rest = at < 0 ? name : name.slice(0, at);
  const slash = rest.indexOf('/');
  const first = slash < 0 ? '' : rest.slice(0, slash);
  let domain = 'docker.io';
  if (slash >= 0 && isDomain(first)) {
    domain = first === 'index.docker.io' ? 'docker.io' : first;
    rest = rest.slice(slash + 1);
  }
  const colon = rest.lastIndexOf(':');
  const tag = colon < 0 ? undefined : rest.slice(colon + 1);
  let path = colon < 0 ? rest : rest.slice(0, colon);
  if (domain === 'docker.io' && !path.includes('/')) path = `library/${path}`;
  return { domain, path, tag: tag ?? (digest === undefined ? 'latest' : undefined), digest };
}

/** The repository as Docker shows it: without docker.io and library. */
export function familiarRepository(n: ImageName): string {
  if (n.domain !== 'docker.io') return `${n.domain}/${n.path}`;
  return n.path.startsWith('library/') ? n.path.slice('library/'.length) : n.path;
}

/** `repo:tag` or `repo@digest` as Docker lists it. */
export function familiarName(name: string): string {
  const n = parseImageName(name);
  return n.digest === undefined ? `${familiarRepository(n)}:${n.tag ?? 'latest'}` : `${familiarRepository(n)}@${n.digest}`;
}

export const isImageId = (name: string): boolean => /^(sha256:)?[0-9a-f]{64}$/.test(name);
