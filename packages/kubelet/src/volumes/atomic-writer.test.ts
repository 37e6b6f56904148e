import { mkdirSync, mkdtempSync, readdirSync, readFileSync, readlinkSync, statSync, symlinkSync, unlinkSync, writeFileSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { describe, expect, it } from 'vitest';
import { type Payload, writeAtomically } from './atomic-writer.ts';

const payload = (files: Record<string, string>, mode = 0o644): Payload =>
  new Map(Object.entries(files).map(([k, v]) => [k, { data: Buffer.from(v), mode }]));
const now = new Date(0);

describe('writeAtomically', () => {
  it('shows new content by one rename, removes what went away, and leaves equal content alone', async () => {
    const target = mkdtempSync(path.join(os.tmpdir(), 'atomic-'));
    expect(await writeAtomically(target, payload({ a: '1', 'd/b': '2' }), { now })).toBe(true);
    expect(readFileSync(path.join(target, 'a'), 'utf8')).toBe('1');
    expect(readFileSync(path.join(target, 'd/b'), 'utf8')).toBe('2');
    expect(readlinkSync(path.join(target, 'a'))).toBe('..data/a');
    const first = readlinkSync(path.join(target, '..data'));
    expect(await writeAtomically(target, payload({ a: '1', 'd/b': '2' }), { now })).toBe(false);
    expect(readlinkSync(path.join(target, '..data'))).toBe(first);
    expect(await writeAtomically(target, payload({ c: '3' }), { now })).toBe(true);
    expect(readdirSync(target).filter((n) => !n.startsWith('..'))).toEqual(['c']);
    expect(readdirSync(target).filter((n) => n.startsWith('..')).length).toBe(2);
  });

  it('sets modes whatever the umask, and writes again when only they change', async () => {
    const target = mkdtempSync(path.join(os.tmpdir(), 'atomic-'));
    await writeAtomically(target, payload({ a: '1' }, 0o777), { now });
    expect(statSync(path.join(target, 'a')).mode & 0o777).toBe(0o777);
    expect(await writeAtomically(target, payload({ a: '1' }, 0o400), { now })).toBe(true);
    expect(statSync(path.join(target, 'a')).mode & 0o777).toBe(0o400);
  });

  it.each(['../x', '/x', 'a/../../x', '..', '..data', ''])('refuses the name %j', async (name) => {
    const target = mkdtempSync(path.join(os.tmpdir(), 'atomic-'));
    await expect(writeAtomically(target, payload({ [name]: '1' }), { now })).rejects.toThrow('invalid path');
    expect(readdirSync(target)).toEqual([]);
  });

  // CVE-2017-1002102: a container that could write to the volume had the kubelet remove what it liked.
  it('removes nothing outside, whatever its own links lead to by now', async () => {
    const base = mkdtempSync(path.join(os.tmpdir(), 'atomic-'));
    const [target, outside] = [path.join(base, 'volume'), path.join(base, 'outside')];
    for (const d of [target, outside]) mkdirSync(d);
    writeFileSync(path.join(outside, 'kept'), 'x');
    for (const link of ['../outside', outside, '..x/../../outside', '.', '..']) {
      await writeAtomically(target, payload({ a: link }), { now });
      unlinkSync(path.join(target, '..data'));
      symlinkSync(link, path.join(target, '..data'));
      symlinkSync(outside, path.join(target, 'also'));
      unlinkSync(path.join(target, 'a'));
      symlinkSync(outside, path.join(target, 'a'));
      await writeAtomically(target, payload({ a: `${link} again` }), { now });
      expect(readFileSync(path.join(target, 'a'), 'utf8')).toBe(`${link} again`);
      expect(readdirSync(outside)).toEqual(['kept']);
      expect(readdirSync(base).sort()).toEqual(['outside', 'volume']);
    }
  });

  it('leaves the old content, and nothing half-made, when the new can’t be written', async () => {
    const target = mkdtempSync(path.join(os.tmpdir(), 'atomic-'));
    await writeAtomically(target, payload({ a: '1' }), { now });
    const tooLong = payload({ a: '2', ['x'.repeat(300)]: '3' });
    for (let i = 0; i < 3; i++) await expect(writeAtomically(target, tooLong, { now })).rejects.toThrow('ENAMETOOLONG');
    expect(readFileSync(path.join(target, 'a'), 'utf8')).toBe('1');
    expect(readdirSync(target).sort()).toEqual(['..data', readlinkSync(path.join(target, '..data')), 'a'].sort());
  });

  it('is empty with nothing to write', async () => {
    const target = mkdtempSync(path.join(os.tmpdir(), 'atomic-'));
    await writeAtomically(target, payload({ a: '1' }), { now });
    await writeAtomically(target, payload({}), { now });
    expect(readdirSync(target).filter((n) => !n.startsWith('..'))).toEqual([]);
  });
});
