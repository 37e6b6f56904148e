import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { expect, it } from 'vitest';
import { silentLogger } from '@skiff/component-base';
import type { ContainerStatus } from '@skiff/cri';
import { snapshotPod, type PodSnapshot } from '../pod/pod-snapshot.ts';
import { createLogLinks } from './log-links.ts';

it('links logs under their known names, and removes only its own', async () => {
  const base = mkdtempSync(path.join(os.tmpdir(), 'logs-'));
  const file = path.join(base, 'json.log');
  writeFileSync(file, 'line');
  const links = createLogLinks(
    { podsDirectory: path.join(base, 'pods'), containersDirectory: path.join(base, 'containers') },
    { log: silentLogger },
  );
  const pod = (uid: string): PodSnapshot =>
    snapshotPod({ metadata: { name: 'p', namespace: 'n', uid }, spec: { containers: [] } }) as PodSnapshot;
  const container = (id: string): ContainerStatus =>
    ({ id, metadata: { name: 'c', attempt: 1 }, startedAtMs: 1, logPath: file }) as unknown as ContainerStatus;
  await links.link(pod('u'), [container('id1')]);
  await links.link(pod('v'), [container('id2')]);
  expect(readFileSync(path.join(base, 'pods/n_p_u/c/1.log'), 'utf8')).toBe('line');
  expect(readFileSync(path.join(base, 'containers/p_n_c-id1.log'), 'utf8')).toBe('line');
  await links.unlink(pod('u'));
  expect(readdirSync(path.join(base, 'pods'))).toEqual(['n_p_v']);
  expect(readdirSync(path.join(base, 'containers'))).toEqual(['p_n_c-id2.log']);
  await links.sweep();
  expect(readdirSync(path.join(base, 'pods'))).toEqual(['n_p_v']);
  rmSync(file);
  await links.sweep();
  expect([...readdirSync(path.join(base, 'pods')), ...readdirSync(path.join(base, 'containers'))]).toEqual([]);
});
