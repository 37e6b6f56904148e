import type { RunCommand } from '../../host/run-command.ts';
import { parseCidr } from '../ipv4.ts';
import { type NodesPlan, routeProtocol } from './render-nodes.ts';

const batch = (lines: readonly string[]): string => `${lines.join('\n')}\n`;
const parse = <T>(text: string): readonly T[] => (text.trim() === '' ? [] : (JSON.parse(text) as T[]));

const withBits = (destination: string): string => (destination.includes('/') ? destination : `${destination}/32`);

function isWithin(destination: string, ranges: readonly string[]): boolean {
  const inner = parseCidr(destination);
  return ranges.map(parseCidr).some((r) => inner.first >= r.first && inner.last <= r.last);
}

export interface RouteOwner {
  readonly vxlanLink: string;
  /** What lies outside of these and doesn't use the tunnel belongs to another cluster on this host. */
  readonly clusterCidrs: readonly string[];
}

/** Destinations of all routes to other nodes that this instance has made. */
export async function ownRoutes(run: RunCommand, owner: RouteOwner): Promise<readonly string[]> {
  const text = await run('ip', ['-j', '-4', 'route', 'show', 'proto', routeProtocol]);
  return parse<{ dst?: string; dev?: string }>(text)
    .filter((r) => r.dst !== undefined && r.dst !== 'default')
    .map((r) => ({ destination: withBits(r.dst ?? ''), device: r.dev }))
    .filter((r) => r.device === owner.vxlanLink || isWithin(r.destination, owner.clusterCidrs))
    .map((r) => r.destination);
}

/** Makes routes as the plan says, the ones that are no longer in it going first. */
export async function applyRoutes(run: RunCommand, owner: RouteOwner, plan: Pick<NodesPlan, 'routes'>): Promise<void> {
  const gone = (await ownRoutes(run, owner)).filter((destination) => !plan.routes.has(destination));
  const lines = [
    ...gone.map((destination) => `route delete ${destination} proto ${routeProtocol}`),
    ...[...plan.routes].map(([destination, rest]) => `route replace ${destination} ${rest} proto ${routeProtocol}`),
  ];
  // One node whose address can't be used must not keep the others out.
  if (lines.length > 0) await run('ip', ['-force', '-batch', '-'], batch(lines));
}

/**
 * Tells the tunnel who is where, and forgets whom the plan doesn't name. What can't be told of one node keeps nobody else out; throws
 * afterwards.
 */
export async function applyTunnel(run: RunCommand, link: string, plan: NodesPlan): Promise<void> {
  const wanted = new Set([...plan.neighbours, ...plan.forwarding]);
  const neighbours = parse<{ dst: string; lladdr?: string }>(
    await run('ip', ['-j', '-4', 'neigh', 'show', 'dev', link, 'nud', 'permanent']),
  );
  const entries = parse<{ mac: string; dst?: string }>(await run('bridge', ['-j', 'fdb', 'show', 'dev', link]));
  const oldNeighbours = neighbours
    .filter((n) => !plan.neighbours.some((line) => line.startsWith(`neighbour replace ${n.dst} `)))
    .map((n) => `neighbour delete ${n.dst} dev ${link}`);
  const oldEntries = entries
    .filter((e) => e.dst !== undefined && !wanted.has(`fdb replace ${e.mac} dev ${link} dst ${e.dst} self permanent`))
    .map((e) => `fdb delete ${e.mac} dev ${link} dst ${e.dst ?? ''} self`);
  const neighbourLines = [...oldNeighbours, ...plan.neighbours];
  const entryLines = [...oldEntries, ...plan.forwarding];
  const done = await Promise.allSettled([
    ...(neighbourLines.length > 0 ? [run('ip', ['-force', '-batch', '-'], batch(neighbourLines))] : []),
    ...(entryLines.length > 0 ? [run('bridge', ['-force', '-batch', '-'], batch(entryLines))] : []),
  ]);
  for (const d of done) if (d.status === 'rejected') throw d.reason;
}

/** Removes every route to other nodes. */
export async function removeRoutes(run: RunCommand, owner: RouteOwner): Promise<void> {
  await applyRoutes(run, owner, { routes: new Map() });
}
