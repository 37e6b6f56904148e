import { parseDuration } from '@skiff/component-base';
import type { Command } from 'commander';
import type { Steps } from '../up/steps.ts';
import { UserError } from '../user-error.ts';
import { defaultTokenGroups, controlPlaneTokenGroup, parseToken, secretNameOf, type TokenUsage, tokenUsages } from './bootstrap-token.ts';
import { controlPlaneConfig, createToken, deleteToken, formatTokens, joinCommand, listTokens } from './token-commands.ts';

interface CreateOptions {
  readonly rootDir: string;
  readonly ttl?: string;
  readonly usages?: string;
  readonly groups?: string;
  readonly description?: string;
  readonly printJoinCommand?: boolean;
  readonly controlPlane?: boolean;
}

const listOf = (text: string): readonly string[] =>
  text
    .split(',')
    .map((s) => s.trim())
    .filter((s) => s !== '');

function parseTtl(text: string): number | undefined {
  const ms = parseDuration(text);
  if (ms === undefined || ms < 0) throw new UserError(`--ttl takes a duration such as 30m or 24h, or 0 for ever, not "${text}".`, 'usage');
  return ms === 0 ? undefined : ms;
}

function parseUsages(text: string | undefined): readonly TokenUsage[] {
  const names = text === undefined ? tokenUsages : listOf(text);
  const wrong = names.find((n) => !(tokenUsages as readonly string[]).includes(n));
  if (wrong !== undefined || names.length === 0)
    throw new UserError(`--usages takes ${tokenUsages.join(' and ')}, not "${text}".`, 'usage');
  return names as readonly TokenUsage[];
}

function parseGroups(text: string | undefined): readonly string[] {
  const groups = text === undefined ? defaultTokenGroups : listOf(text);
  const wrong = groups.find((g) => !/^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/.test(g));
  if (wrong !== undefined) throw new UserError(`--groups takes names that begin with system:bootstrappers:, not "${wrong}".`, 'usage');
  return groups;
}

/** `skiff token create|list|delete`: kubeadm's options and defaults. `progress`: where steps go that are no part of the output. */
export function addTokenCommand(program: Command, o: { defaultRootDir: string; steps: Steps; progress: Steps }): void {
  const { steps } = o;
  const token = program.command('token').description('bootstrap tokens, with which other hosts join');
  const withRoot = (c: Command): Command => c.option('--root-dir <path>', 'folder that holds all state', o.defaultRootDir);
  withRoot(token.command('create').description('make a token').argument('[token]', 'the token itself; a random one when absent'))
    .option('--ttl <duration>', 'how long it is good for; 0: for ever (default 24h, with --control-plane 2h)')
    .option('--usages <list>', 'what it is for: signing, authentication', tokenUsages.join(','))
    .option('--groups <list>', 'groups of who uses it', defaultTokenGroups.join(','))
    .option('--description <text>', 'what it is for, for people')
    .option('--print-join-command', 'print the line that a new host is to run')
    .option('--control-plane', 'for a host that joins the control plane: hands the certificates over, encrypted; good for 2 hours')
    .action(async (text: string | undefined, options: CreateOptions) => {
      const forControlPlane = options.controlPlane === true;
      const ttlMs = parseTtl(options.ttl ?? (forControlPlane ? '2h' : '24h'));
      let config = controlPlaneConfig(options.rootDir);
      if (forControlPlane) {
        const { exposeEtcd } = await import('../control-plane/hand-over.ts');
        config = await exposeEtcd(config, o.progress);
      }
      const made = await createToken(config, {
        ...(text === undefined ? {} : { token: parseToken(text) }),
        expiresAtMs: ttlMs === undefined ? undefined : Date.now() + ttlMs,
        usages: parseUsages(options.usages),
        groups: [...parseGroups(options.groups), ...(forControlPlane ? [controlPlaneTokenGroup] : [])],
        description: options.description ?? '',
      });
      const line = options.printJoinCommand === true ? joinCommand(config, made) : `${made.id}.${made.secret}`;
      if (!forControlPlane) return steps.line(line);
      const { handOverCertificates } = await import('../control-plane/hand-over.ts');
      const key = await handOverCertificates(config, secretNameOf(made.id));
      steps.line(options.printJoinCommand === true ? `${line} --control-plane --certificate-key ${key}` : `${line}\n${key}`);
    });
  withRoot(token.command('list').description('the tokens that there are, without their secrets')).action(
    async (options: { rootDir: string }) => {
      const tokens = await listTokens(controlPlaneConfig(options.rootDir));
      for (const line of formatTokens(tokens, Date.now())) steps.line(line);
    },
  );
  withRoot(token.command('delete').description('make tokens worthless').argument('<token...>', 'a token or its id')).action(
    async (names: readonly string[], options: { rootDir: string }) => {
      const config = controlPlaneConfig(options.rootDir);
      for (const name of names) steps.line(`bootstrap token "${await deleteToken(config, name)}" deleted`);
    },
  );
}
