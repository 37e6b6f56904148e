import { mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { removeLogLinks } from './log-links.ts';

describe('links to logs', () => {
  let root = '';
  const at = (...parts: string[]): string => join(root, ...parts);
  const labels = (name: string): Record<string, string> => ({
    'io.kubernetes.pod.namespace': 'default',
    'io.kubernetes.pod.name': name,
    'io.kubernetes.pod.uid': 'u',
  });
  beforeEach(() => {
    root = mkdtempSync(join(tmpdir(), 'skiff-links-'));
    mkdirSync(at('containers'));
    for (const pod of ['ours', 'theirs']) {
      mkdirSync(at('pods', `default_${pod}_u`, 'c'), { recursive: true });
      symlinkSync('/nowhere', at('pods', `default_${pod}_u`, 'c', '0.log'));
      symlinkSync(at('pods', `default_${pod}_u`, 'c', '0.log'), at('containers', `${pod}_default_c-1.log`));
    }
    writeFileSync(at('containers', 'file.log'), '');
  });
  afterEach(() => rmSync(root, { recursive: true }));

  it('go with their containers; those of others stay', () => {
    const directories = { podsDirectory: at('pods'), containersDirectory: at('containers') };
    removeLogLinks([labels('ours'), labels('ours'), {}, labels('../x')], directories);
    expect(readdirSync(at('pods'))).toEqual(['default_theirs_u']);
    expect(readdirSync(at('containers'))).toEqual(['file.log', 'theirs_default_c-1.log']);
    removeLogLinks([labels('ours')], { podsDirectory: at('none'), containersDirectory: at('none') });
  });
});
