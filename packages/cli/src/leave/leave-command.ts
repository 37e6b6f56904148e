import type { Command } from 'commander';
import type { Steps } from '../up/steps.ts';

/** `skiff leave`: the opposite of join. */
export function addLeaveCommand(program: Command, o: { defaultRootDir: string; steps: Steps }): void {
  program
    .command('leave')
    .description('take this host out of its cluster: its pods move elsewhere, nothing of the cluster stays here')
    .option('--root-dir <path>', 'folder that holds all state', o.defaultRootDir)
    .option('--timeout <seconds>', 'how long pods may take to go', '120')
    .option(
      '--force',
      'give up pods that nothing makes anew or that don’t go in time, and volumes on this disk; leave though the control plane is away',
    )
    .action(async (options: { rootDir: string; timeout: string; force?: boolean }) => {
      const { leave } = await import('./leave.ts');
      await leave(options.rootDir, o.steps, { timeoutMs: Number(options.timeout) * 1000, force: options.force === true });
      o.steps.line('\nThis host has left the cluster.');
    });
}
