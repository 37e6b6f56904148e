import { describe, expect, it } from 'vitest';
import { applyGroupsPolicy, resolveUser } from './image-accounts.ts';

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
