import type { EtcdMember } from '@skiff/storage';
import { hostAccess } from '../cluster/api-request.ts';
import { deleteNode } from '../cluster/delete-node.ts';
import type { ClusterConfig } from '../config.ts';
import { UserError } from '../user-error.ts';
import { openEtcd, ownPeerUrl, reasonOf, whenSettled } from './etcd-access.ts';

export const nameOf = (m: EtcdMember): string => (m.name === '' ? `(not started) ${m.id}` : m.name);

export interface MemberHealth {
  readonly member: EtcdMember;
  readonly state: string;
}

/** Each member is asked itself: one that does not answer may be dead, or out of this host's reach. */
export async function askMembers(config: ClusterConfig): Promise<readonly MemberHealth[]> {
  const etcd = await openEtcd(config);
  const members = await etcd.members().finally(() => etcd.close());
  return await Promise.all(
    members.map(async (member) => {
      const own = await openEtcd(config, member.clientUrls.length === 0 ? ['https://0.0.0.0:1'] : member.clientUrls);
      try {
        const status = await own.status();
        const role = status.isLearner ? 'learner' : status.leaderId === member.id ? 'leader' : 'member';
        return {
          member,
          state: status.leaderId === '0' ? withoutLeader : `${role}, revision ${status.revision}, etcd ${status.version}`,
        };
      } catch (error) {
        return { member, state: `does not answer (${reasonOf(error)})` };
      } finally {
        own.close();
      }
    }),
  );
}

const withoutLeader = 'without a leader';
const isWell = (m: MemberHealth): boolean => !m.state.startsWith('does not') && m.state !== withoutLeader;

const electionMs = 15_000;
const electionPollMs = 250;

/** Asks until whoever answers has a leader: after the loss of the last one an election takes a second or two, in which no member looks well. */
export async function askElected(
  ask: () => Promise<readonly MemberHealth[]>,
  o: { readonly withinMs?: number } = {},
): Promise<readonly MemberHealth[]> {
  const endMs = performance.now() + (o.withinMs ?? electionMs);
  for (;;) {
    const all = await ask();
    if (!all.some((m) => m.state === withoutLeader) || performance.now() > endMs) return all;
    await new Promise((r) => setTimeout(r, electionPollMs));
  }
}

/** Throws UserError where the rest could not go on. */
function checkRemoval(all: readonly MemberHealth[], wanted: EtcdMember): void {
  const votes = (m: MemberHealth): boolean => !m.member.isLearner && m.member.id !== wanted.id;
  const left = all.filter(votes);
  const well = left.filter(isWell);
  if (left.length === 0) throw new UserError(`${nameOf(wanted)} is the only member: without it there is no cluster.`, 'conflict');
  if (well.length < Math.floor(left.length / 2) + 1)
    throw new UserError(
      `Of the ${left.length} members that would be left, ${well.length} answer; that is no majority, and etcd would stop. Mend another one first.`,
      'conflict',
    );
}

/** Takes a member out of etcd, and its node out of the cluster. For a host that is gone for good, or about to leave. Throws UserError. */
export async function removeMember(config: ClusterConfig, which: string, o: { deleteNode: boolean }): Promise<string> {
  const all = await askElected(() => askMembers(config));
  const found = all.find(
    ({ member: m }) => m.name === which || m.id === which || m.peerUrls.some((url) => new URL(url).hostname === which),
  );
  if (found === undefined)
    throw new UserError(`There is no member "${which}"; there are ${all.map((m) => nameOf(m.member)).join(', ')}.`, 'usage');
  checkRemoval(all, found.member);
  // Asked through the others: one that takes itself out stops before it has answered.
  const others = all.filter((m) => m.member.id !== found.member.id && isWell(m)).flatMap((m) => m.member.clientUrls);
  const etcd = await openEtcd(config, others);
  try {
    await whenSettled(() => etcd.remove(found.member.id));
  } catch (error) {
    throw new UserError(`etcd does not take the member out: ${reasonOf(error)}`, 'refused');
  } finally {
    etcd.close();
  }
  if (o.deleteNode && found.member.name !== '') {
    const { name } = found.member;
    const why = await deleteNode(hostAccess(config), name);
    if (why !== undefined)
      throw new UserError(
        `The member is out, but its node could not be deleted: ${why}. Delete it with: kubectl delete node ${name}`,
        'unreachable',
      );
  }
  return nameOf(found.member);
}

/** Takes this host's own member out, before the host leaves. Throws UserError. */
export async function removeOwnMember(config: ClusterConfig): Promise<void> {
  const own = (await askMembers(config)).find((m) => m.member.peerUrls.includes(ownPeerUrl(config)));
  if (own !== undefined) await removeMember(config, own.member.id, { deleteNode: false });
}
