import { hasReason, isStatusError, type KubeObject, type ResourceRef } from '@skiff/apimachinery';
import { FakeClock } from '@skiff/component-base';
import { describe, expect, it } from 'vitest';
import { createClient } from './create-client.ts';
import { RequestError } from './contract.ts';
import { startFakeApiserver } from './fake-apiserver.ts';

interface ConfigMap extends KubeObject {
  data?: Record<string, string>;
}
const configMaps: ResourceRef<ConfigMap> = { group: '', version: 'v1', kind: 'ConfigMap', plural: 'configmaps', scope: 'Namespaced' };
const key = { namespace: 'ns', name: 'a' };

describe('client', () => {
  it('creates, reads, patches, lists and deletes', async () => {
    await using server = await startFakeApiserver();
    const client = createClient({ servers: [server.url] });
    const created = await client.create(configMaps, { metadata: key, data: { x: '1' } });
    expect(created.metadata?.uid).toBeDefined();
    expect((await client.patch(configMaps, key, { type: 'merge', body: { data: { y: '2' } } })).data).toEqual({ x: '1', y: '2' });
    const list = await client.list(configMaps, 'ns');
    expect(list.items.map((i) => [i.kind, i.apiVersion, i.metadata?.name])).toEqual([['ConfigMap', 'v1', 'a']]);
    await client.delete(configMaps, key);
    await expect(client.get(configMaps, key)).rejects.toSatisfy((e: unknown) => hasReason(e, 'NotFound'));
    client.close();
  });

  it('fails over to the next server and stays there', async () => {
    await using dead = await startFakeApiserver();
    await using live = await startFakeApiserver();
    const deadUrl = dead.url;
    await dead[Symbol.asyncDispose]();
    const client = createClient({ servers: [deadUrl, live.url] });
    await client.create(configMaps, { metadata: key });
    await client.get(configMaps, key);
    expect(live.requests).toHaveLength(2);
    client.close();
  });

  it('leaves a server that answers with errors only', async () => {
    await using first = await startFakeApiserver();
    await using second = await startFakeApiserver();
    const clock = new FakeClock();
    const client = createClient({ servers: [first.url, second.url] }, { clock });
    await client.create(configMaps, { metadata: key });
    first.intercept = ({ stream }) => {
      stream.respond({ ':status': 500 });
      stream.end('the store is away');
      return true;
    };
    const answers: unknown[] = [];
    for (let i = 0; i < 4; i++) {
      const answer: unknown = await client.list(configMaps, 'ns').catch((e: unknown) => e);
      answers.push(isStatusError(answer) ? answer.code : 'answered');
      await clock.advance(3_000);
    }
    expect(answers).toEqual([500, 500, 500, 'answered']);
    expect(second.requests).toHaveLength(1);
    client.close();
  });

  it('reads again over a new connection, and reports a write without an answer', async () => {
    await using server = await startFakeApiserver();
    const client = createClient({ servers: [server.url] });
    await client.create(configMaps, { metadata: key });
    let cut = 1;
    server.intercept = ({ stream }) => {
      if (cut === 0) return false;
      cut -= 1;
      stream.session?.destroy();
      return true;
    };
    await expect(client.get(configMaps, key)).resolves.toMatchObject({ metadata: key });
    cut = 1;
    const error: unknown = await client.patch(configMaps, key, { type: 'merge', body: {} }).catch((e: unknown) => e);
    expect(error).toBeInstanceOf(RequestError);
    expect((error as RequestError).maybeProcessed).toBe(true);
    client.close();
  });

  it('waits as told by Retry-After', async () => {
    await using server = await startFakeApiserver();
    const client = createClient({ servers: [server.url] });
    let refusals = 2;
    server.intercept = ({ stream }) => {
      if (refusals-- <= 0) return false;
      stream.respond({ ':status': 429, 'retry-after': '0' });
      stream.end('{}');
      return true;
    };
    await client.list(configMaps);
    expect(server.requests).toHaveLength(3);
    client.close();
  });

  it('ends a call when its signal aborts', async () => {
    await using server = await startFakeApiserver();
    const client = createClient({ servers: [server.url] });
    server.intercept = () => true;
    const stop = new AbortController();
    const call = client.list(configMaps, undefined, { signal: stop.signal });
    setImmediate(() => stop.abort(new Error('enough')));
    await expect(call).rejects.toThrow('enough');
    client.close();
  });

  it('streams a watch and cancels it when the reader leaves', async () => {
    await using server = await startFakeApiserver();
    const client = createClient({ servers: [server.url] });
    server.put('/api/v1/namespaces/ns/configmaps', { metadata: { name: 'a' } });
    const stop = new AbortController();
    const seen: string[] = [];
    for await (const event of client.watch(configMaps, 'ns', { signal: stop.signal })) {
      seen.push(`${event.type} ${event.object.metadata?.name ?? ''}`);
      if (seen.length === 1) server.put('/api/v1/namespaces/ns/configmaps', { metadata: { name: 'b' } });
      if (seen.length === 2) break;
    }
    expect(seen).toEqual(['ADDED a', 'ADDED b']);
    await client.list(configMaps);
    client.close();
  });
});
