import { expect, it } from 'vitest';
import { askElected, type MemberHealth } from './members.ts';

const health = (name: string, state: string): MemberHealth => ({
  member: { id: name, name, peerUrls: [], clientUrls: [], isLearner: false },
  state,
});

it('members are judged once those that answer have a leader again', async () => {
  const during = [
    health('a', 'without a leader'),
    health('b', 'member, revision 7, etcd 3.4.23'),
    health('c', 'does not answer (timeout)'),
  ];
  const after = [health('a', 'leader, revision 7, etcd 3.4.23'), health('b', 'member, revision 7, etcd 3.4.23'), during[2] as MemberHealth];
  const answers = [during, during, after];
  expect(await askElected(async () => answers.shift() ?? [])).toBe(after);
  expect(answers).toEqual([]);
});

it('members that get no leader are not waited for without end', async () => {
  const never = [health('a', 'without a leader'), health('b', 'does not answer (timeout)')];
  expect(await askElected(async () => never, { withinMs: 0 })).toBe(never);
});
