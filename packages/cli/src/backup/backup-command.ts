import { resolve, join } from 'node:path';
import { type Command, Option } from 'commander';
import type { ClusterConfig } from '../config.ts';
import { controlPlaneConfig } from '../token/token-commands.ts';
import type { Steps } from '../up/steps.ts';

/** `skiff backup` and `skiff restore`. */
export function addBackupCommands(program: Command, o: { defaultRootDir: string; steps: Steps }): void {
  const { steps } = o;
  const withRoot = (c: Command): Command => c.option('--root-dir <path>', 'folder that holds all state', o.defaultRootDir);
  withRoot(program.command('backup').description('write the state of the cluster into a file'))
    .option('--output <path>', 'the file; default: one named by the time, in the folder of backups')
    .option('--no-keys', 'leave the authorities’ keys out: it can then be restored only where they are')
    .action(async (options: { rootDir: string; output?: string; keys: boolean }) => {
      const config = controlPlaneConfig(options.rootDir);
      const { backup, backupName, backupsFolder } = await import('./backup.ts');
      const output = options.output === undefined ? join(backupsFolder(config), backupName(Date.now())) : resolve(options.output);
      const made = await steps.run('Backup', (note) =>
        backup(config, { output, withKeys: options.keys, signal: new AbortController().signal }).then((result) => {
          note(`revision ${result.revision}, ${(result.bytes / 1_048_576).toFixed(1)} MiB`);
          return result;
        }),
      );
      steps.line(made.path);
    });
  withRoot(program.command('restore').description('bring the cluster back to the state of a backup, on this host'))
    .argument('<file>', 'what `skiff backup` wrote')
    .option('--timeout <seconds>', 'how long to wait for the node to be Ready', '120')
    .option('--force', 'on a host of a control plane of several: the others are gone or stopped for good')
    .addOption(new Option('--node-name <name>', 'name of this node, where it is another host than before'))
    .addOption(new Option('--node-address <ip>', 'address of this host that pods and other hosts reach'))
    .action(
      async (file: string, options: { rootDir: string; timeout: string; force?: boolean; nodeName?: string; nodeAddress?: string }) => {
        const { restore } = await import('./restore.ts');
        const given: Partial<ClusterConfig> = {
          ...(options.nodeName === undefined ? {} : { nodeName: options.nodeName }),
          ...(options.nodeAddress === undefined ? {} : { nodeAddress: options.nodeAddress }),
        };
        const { config } = await restore(resolve(file), options.rootDir, steps, given, { force: options.force === true });
        const { up } = await import('../up/up.ts');
        await up(config, steps, { timeoutMs: Number(options.timeout) * 1000 });
        steps.line();
        steps.line('The cluster is as it was when the backup was taken.');
        if (config.etcdExposed)
          steps.line('Other hosts of its control plane: `skiff down --wipe` there, then join again (skiff token create --control-plane).');
      },
    );
}
