import { existsSync } from 'node:fs';
import { ensureImage, hasDocker } from './image.ts';
import { startServer, type ServerContainer } from './server.ts';

const words = (text: string): string[] => text.split(' ');

export async function findRedisImage(): Promise<string | undefined> {
  if (!(await hasDocker())) return undefined;
  const binary = ['/usr/bin/redis-server', '/usr/local/bin/redis-server'].find((path) => existsSync(path));
  return ensureImage({ published: 'docker.io/library/redis:7', binary, madeAs: 'skiff-test/redis' });
}

/** `appendOnly`: what was acknowledged is on disk, so a killed server comes back with its data; else it comes back empty. */
export function startRedis(image: string, o: { appendOnly: boolean; extra?: string[] }): Promise<ServerContainer> {
  const published = image.includes('library/redis');
  return startServer({
    image,
    containerPort: 6379,
    command: [
      ...(published ? ['redis-server'] : []),
      ...words('--port 6379 --bind 0.0.0.0 --protected-mode no --dir / --save'),
      '',
      ...(o.appendOnly ? words('--appendonly yes --appendfsync always') : []),
      ...(o.extra ?? []),
    ],
    readyLog: /Ready to accept connections/,
  });
}

export const redisUrl = (server: { host: string; port: number }): string => `redis://${server.host}:${server.port}`;
