import type { ApiResponse, UserInfo } from './contract.ts';
import type { HttpRequest } from './server/exchange.ts';

/** A GET of something that is no resource: discovery, health, metrics. */
export interface PathRequest {
  readonly path: string;
  readonly query: URLSearchParams;
  readonly request: HttpRequest;
  readonly pretty: boolean;
  readonly user: UserInfo;
  readonly signal: AbortSignal;
}

export type PathHandler = (r: PathRequest) => ApiResponse | undefined | Promise<ApiResponse | undefined>;

/** One row of the table: an exact path, or with a trailing `*` everything below. */
export interface PathRoute {
  readonly path: string;
  readonly handle: PathHandler;
}

export interface PathTable {
  /** undefined: 404. A handler that returns undefined means the same. */
  find(path: string): PathHandler | undefined;
  readonly paths: readonly string[];
}

export function createPathTable(routes: readonly PathRoute[]): PathTable {
  const exact = new Map<string, PathHandler>();
  const prefixes: PathRoute[] = [];
  for (const route of routes) {
    if (route.path.endsWith('*')) prefixes.push(route);
    else if (exact.has(route.path)) throw new Error(`two handlers for ${route.path}`);
    else exact.set(route.path, route.handle);
  }
  return {
    paths: routes.map((r) => r.path),
    find: (path) => {
      const trimmed = path.length > 1 && path.endsWith('/') ? path.slice(0, -1) : path;
      return exact.get(trimmed) ?? prefixes.find((r) => trimmed.startsWith(r.path.slice(0, -1)))?.handle;
    },
  };
}
