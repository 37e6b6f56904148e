import { existsSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MethodDefinition, ServiceDefinition } from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';
import type { DrainRequest, DrainResponse, Frame, NodeMessage, ServerMessage } from '../messages.ts';

export interface TunnelDefinition {
  readonly open: MethodDefinition<NodeMessage, ServerMessage>;
  readonly connect: MethodDefinition<Frame, Frame>;
  readonly drain: MethodDefinition<DrainRequest, DrainResponse>;
}

const file = 'proto/skiff/tunnel/v1/tunnel.proto';

/** `proto/` stands at the top of the checkout or image, some folders above this file or the bundle it is part of. */
function protoPath(): string {
  for (let folder = dirname(fileURLToPath(import.meta.url)); ; folder = dirname(folder)) {
    const found = join(folder, file);
    if (existsSync(found)) return found;
    if (dirname(folder) === folder) throw new Error(`${file} is missing`);
  }
}

let loaded: TunnelDefinition | undefined;

/** The service, read once a process. */
export function loadTunnelDefinition(): TunnelDefinition {
  if (loaded !== undefined) return loaded;
  const all = loadSync(protoPath(), { keepCase: false, longs: Number, enums: String, defaults: true, oneofs: true });
  const service = all['skiff.tunnel.v1.Tunnel'] as ServiceDefinition;
  const method = (name: string): never => {
    const found = service[name];
    if (found === undefined) throw new Error(`${file} has no ${name}`);
    return found as never;
  };
  loaded = { open: method('Open'), connect: method('Connect'), drain: method('Drain') };
  return loaded;
}
