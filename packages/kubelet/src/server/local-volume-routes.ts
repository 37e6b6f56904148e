import { NoRoom, VolumeInUse } from '../volumes/local-volumes.ts';
import { HttpError, type Exchange } from './routes.ts';

const maxBodyBytes = 4096;

async function readBody(x: Exchange): Promise<{ readonly sizeBytes: number }> {
  let text = '';
  for await (const chunk of x.request as AsyncIterable<Buffer>) {
    text += chunk.toString();
    if (text.length > maxBodyBytes) throw new HttpError(413, 'the body is too large');
  }
  let body: unknown;
  try {
    body = JSON.parse(text);
  } catch {
    throw new HttpError(400, 'the body is not JSON'); // what the parser complains of says no more
  }
  const size = typeof body === 'object' && body !== null && 'sizeBytes' in body ? body.sizeBytes : undefined;
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) throw new HttpError(400, 'sizeBytes must be a number of bytes');
  return { sizeBytes: size };
}

/** PUT and DELETE of a directory for a PersistentVolume: what the provisioner of local volumes asks the node for. */
export async function serveLocalVolume(x: Exchange, name: string): Promise<void> {
  const { localVolumes } = x.parts;
  try {
    if (x.request.method === 'DELETE') {
      await localVolumes.remove(name);
      x.response.writeHead(200, { 'Content-Type': 'application/json' });
      x.response.end('{}');
      return;
    }
    const { sizeBytes } = await readBody(x);
    const path = await localVolumes.ensure(name, sizeBytes);
    x.response.writeHead(200, { 'Content-Type': 'application/json' });
    x.response.end(JSON.stringify({ path }));
  } catch (error) {
    if (error instanceof NoRoom) throw new HttpError(507, error.message);
    if (error instanceof VolumeInUse) throw new HttpError(409, error.message);
    throw error;
  }
}
