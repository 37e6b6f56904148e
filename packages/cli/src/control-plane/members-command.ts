import type { Command } from 'commander';
import { controlPlaneConfig } from '../token/token-commands.ts';
import type { Steps } from '../up/steps.ts';

/** `skiff members`: the hosts of the control plane as etcd knows them. */
export function addMembersCommand(program: Command, o: { defaultRootDir: string; steps: Steps }): void {
  const { steps } = o;
  const withRoot = (c: Command): Command => c.option('--root-dir <path>', 'folder that holds all state', o.defaultRootDir);
  const members = withRoot(program.command('members').description('members of etcd: the hosts of the control plane')).action(
    async (options: { rootDir: string }) => {
      const { askMembers, nameOf } = await import('./members.ts');
      for (const { member, state } of await askMembers(controlPlaneConfig(options.rootDir)))
        steps.line(`${nameOf(member).padEnd(20)} ${(member.peerUrls[0] ?? '').padEnd(32)} ${state}`);
    },
  );
  members
    .command('remove')
    .description('take out a member whose host is gone, and its node')
    .argument('<member>', 'name, address or id')
    .action(async (which: string, _: object, command: Command) => {
      const { removeMember } = await import('./members.ts');
      const { rootDir } = command.optsWithGlobals<{ rootDir: string }>();
      steps.line(`member "${await removeMember(controlPlaneConfig(rootDir), which, { deleteNode: true })}" removed`);
    });
}
