import type { IncomingMessage, ServerResponse } from 'node:http';
import { buffer } from 'node:stream/consumers';
import { pack } from 'tar-stream';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { createEngine, type Engine } from './engine.ts';
import {
  applyGroupsPolicy,
  createImageAccounts,
  type ImageAccountsLimits,
  type ImageAccountsReader,
  resolveUser,
} from './image-accounts.ts';
import { playEngine } from './play-engine.fixture.ts';

const accounts = {
  user: 'app',
  passwd: 'root:x:0:0:root:/root:/bin/sh\n# a remark\nalice:x:1000:1000::/:\napp:x:70:71::/:\n',
  group: 'root:x:0:root\nimage:x:50000:alice,app\nstaff:x:20:bob\n',
};

describe('the user of a container', () => {
  it.each([
    ['', [], { uid: 0, gid: 0, supplementalGroups: [0] }],
    ['1000', [60_000], { uid: 1000, gid: 1000, supplementalGroups: [1000, 50_000, 60_000] }],
    ['alice', [], { uid: 1000, gid: 1000, supplementalGroups: [1000, 50_000] }],
    ['1000:2000', [60_000], { uid: 1000, gid: 2000, supplementalGroups: [2000, 60_000] }],
    ['alice:staff', [], { uid: 1000, gid: 20, supplementalGroups: [20] }],
    ['4242', [], { uid: 4242, gid: 0, supplementalGroups: [0] }],
    ['nobody-knows', [], undefined],
    ['alice:nobody-knows', [], undefined],
  ])('%j with %j', (user, groups, expected) => {
    expect(resolveUser(user, groups, accounts)).toEqual(expected);
  });
});

describe('the policy for supplemental groups', () => {
  it.each([
    ['merge', '1000:2000', { user: '1000:2000', groups: [50_000, 60_000] }],
    ['merge', '', { user: '70:71', groups: [50_000, 60_000] }],
    ['strict', '1000', { user: '1000:1000', groups: [60_000] }],
    ['strict', '', { user: '70:71', groups: [60_000] }],
    ['strict', 'alice', { user: '1000:1000', groups: [60_000] }],
    ['strict', 'nobody-knows', undefined],
  ] as const)('%s for user %j', (policy, user, expected) => {
    expect(applyGroupsPolicy(policy, { user, groups: [60_000], accounts })).toEqual(expected);
  });
});

describe("reading an image's accounts", () => {
  const eventually = { timeout: 30_000 };
  const opened: Engine[] = [];
  afterEach(() => {
    for (const e of opened.splice(0)) e.close();
  });
  const limits: ImageAccountsLimits = { readMs: 60_000, soonMs: 60_000, retryMs: 60_000 };
  const readerAt = (socketPath: string, changed: Partial<ImageAccountsLimits> = {}): ImageAccountsReader => {
    const engine = createEngine({ socketPath, requestTimeoutMs: 60_000 });
    opened.push(engine);
    return createImageAccounts({ engine, instance: 'test', limits: { ...limits, ...changed } });
  };
  /** Plays an engine that has every image; what is asked for is noted, `archive` answers for its files. */
  const play = async (archive: (response: ServerResponse) => void, left: readonly object[] = []) => {
    const calls: string[] = [];
    const unread = new Set<ServerResponse>();
    const answer = (request: IncomingMessage, response: ServerResponse): void => {
      const asked = (request.url ?? '').replace(/^\/v[\d.]+/, '');
      calls.push(`${request.method ?? ''} ${asked.replace(/\?.*/, '')}`);
      if (asked.startsWith('/containers/json')) response.end(JSON.stringify(left));
      else if (asked.startsWith('/images/')) response.end('{"Config":{"User":"app"}}');
      else if (asked.startsWith('/containers/create')) response.writeHead(201).end('{"Id":"c"}');
      else if (asked.includes('/archive')) {
        unread.add(response);
        response.on('close', () => unread.delete(response));
        archive(response);
      } else response.writeHead(204).end();
    };
    return { engine: await playEngine(answer), calls, unread };
  };
  const entry = (header: Parameters<ReturnType<typeof pack>['entry']>[0], content = ''): Promise<Buffer> => {
    const tar = pack();
    tar.entry(header, content);
    tar.finalize();
    return buffer(tar);
  };

  it.each([
    ['is too large', { name: 'passwd', size: 2 * 1024 * 1024 }, 'x'.repeat(2 * 1024 * 1024)],
    ['is a directory', { name: 'passwd', type: 'directory' as const }, ''],
  ])('lets go of an answer whose file %s', async (_what, header, content) => {
    const tar = (await entry(header, content)).subarray(0, 4096);
    const { engine, unread } = await play((response) => void response.write(tar));
    await using _engine = engine;
    expect(await readerAt(engine.socketPath).get('sha256:1')).toEqual({ user: 'app', passwd: '', group: '' });
    await vi.waitFor(() => expect(unread.size).toBe(0), eventually);
  });

  it('keeps nobody waiting for an answer that does not come, and asks anew only after a while', async () => {
    const { engine, calls, unread } = await play(() => undefined);
    await using _engine = engine;
    const reader = readerAt(engine.socketPath, { soonMs: 50, readMs: 1_000 });
    const first = expect(reader.get('sha256:1')).rejects.toThrow();
    expect(await reader.soon('sha256:1')).toBeUndefined();
    await first;
    expect(calls).toEqual(expect.arrayContaining(['GET /containers/c/archive', 'DELETE /containers/c']));
    await vi.waitFor(() => expect(unread.size).toBe(0), eventually);
    expect(await reader.soon('sha256:1')).toBeUndefined();
    expect(calls.filter((c) => c === 'POST /containers/create')).toHaveLength(1);
    // Who can't do without does ask.
    await expect(reader.get('sha256:1')).rejects.toThrow();
    expect(calls.filter((c) => c === 'POST /containers/create')).toHaveLength(2);
  });

  it('reads once, and tells those who came early later', async () => {
    const tar = await entry({ name: 'passwd' }, 'app:x:70:71::/:\n');
    const waiting: ServerResponse[] = [];
    const { engine, calls } = await play((response) => (waiting.length < 1 ? void waiting.push(response) : void response.end(tar)));
    await using _engine = engine;
    const reader = readerAt(engine.socketPath, { soonMs: 50 });
    expect(await reader.soon('sha256:1')).toBeUndefined();
    await vi.waitFor(() => expect(waiting).toHaveLength(1), eventually);
    waiting[0]?.end(tar);
    const told = { user: 'app', passwd: 'app:x:70:71::/:\n', group: 'app:x:70:71::/:\n' };
    expect(await reader.get('sha256:1')).toEqual(told);
    expect(await reader.soon('sha256:1')).toEqual(told);
    expect(calls.filter((c) => c === 'POST /containers/create')).toHaveLength(1);
  });

  it('removes what a process left that was killed in the middle', async () => {
    const { engine, calls } = await play(
      (response) => void response.writeHead(404).end('{}'),
      [
        { Id: 'old', Names: ['/skiff-test-accounts-1234'] },
        { Id: 'other', Names: ['/not-skiff-test-accounts-1'] },
      ],
    );
    await using _engine = engine;
    const reader = readerAt(engine.socketPath);
    await Promise.all([reader.get('sha256:1'), reader.get('sha256:2')]);
    expect(calls.filter((c) => c.startsWith('DELETE')).sort()).toEqual([
      'DELETE /containers/c',
      'DELETE /containers/c',
      'DELETE /containers/old',
    ]);
  });
});
