import type { Client } from '@skiff/client';

/** The node has no room for a volume of that size. */
export class NodeHasNoRoom extends Error {}

/** Directories on nodes, asked for through the apiserver; each node decides where they lie. */
export interface NodeVolumes {
  /** Makes the directory, or asks whether it can grow. Returns its path. Throws NodeHasNoRoom. */
  ensure(node: string, volume: string, sizeBytes: number): Promise<string>;
  remove(node: string, volume: string): Promise<void>;
}

export function createNodeVolumes(client: Client, signal: AbortSignal): NodeVolumes {
  const ask = async (method: 'PUT' | 'DELETE', node: string, volume: string, body?: object): Promise<Buffer> => {
    const path = `/api/v1/nodes/${encodeURIComponent(node)}/proxy/localVolumes/${encodeURIComponent(volume)}`;
    const answer = await client.request({ method, path, signal, ...(body === undefined ? {} : { body }) });
    if (answer.code === 200) return answer.body;
    const said = answer.body.toString().slice(0, 500).trim();
    if (answer.code === 507) throw new NodeHasNoRoom(`node ${node} has no room for it: ${said}`);
    throw new Error(`node ${node}: ${said === '' ? `status ${answer.code}` : said}`);
  };
  return {
    ensure: async (node, volume, sizeBytes) => {
      const answer = JSON.parse((await ask('PUT', node, volume, { sizeBytes })).toString()) as { path?: unknown };
      if (typeof answer.path !== 'string' || !answer.path.startsWith('/')) throw new Error(`node ${node} told no path`);
      return answer.path;
    },
    remove: async (node, volume) => void (await ask('DELETE', node, volume)),
  };
}
