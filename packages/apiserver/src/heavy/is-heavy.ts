import type { ApiRequest, ResourceRegistry } from '../contract.ts';
import { callEndpoint } from '../dispatch.ts';
import type { HeavyLane } from './heavy-lane.ts';
import { isHeavyValue, maxWeight, minBytes, weighJson, weighOther } from './weight.ts';

/** Lists in forms that need all objects parsed and written anew at once. */
const maxParsedObjects = 200;

function weighBody({ body, contentType }: ApiRequest): number {
  if (body.length < minBytes) return 0;
  return contentType.endsWith('json') || contentType === '' ? weighJson(body, maxWeight) : weighOther(body);
}

/** Is this so much work that it would hold up everyone else? By what was sent, and by what it is about. */
export function isHeavy(r: ApiRequest, registry: Pick<ResourceRegistry, 'extent'>): boolean {
  const { verb, name } = r.info;
  const isPlain = r.output.mediaType === 'json' && !r.output.pretty;
  if (verb === 'list') return !isPlain && r.output.mediaType !== 'protobuf' && registry.extent(r.info).objects > maxParsedObjects;
  if (weighBody(r) >= maxWeight) return true;
  if (name === '' || (verb === 'get' && isPlain && r.output.as !== 'Table')) return false;
  const { value } = registry.extent(r.info);
  return value !== undefined && isHeavyValue(value);
}

/** Calls endpoints here, but what is heavy in the lane. */
export function callWithLane(lane: HeavyLane, registry: Pick<ResourceRegistry, 'extent'>): typeof callEndpoint {
  return (endpoint, r, open) => (r.info.verb !== 'watch' && isHeavy(r, registry) ? lane.serve(r) : callEndpoint(endpoint, r, open));
}
