import { parseDuration } from '@skiff/component-base';
import type { Command } from 'commander';
import type { Steps } from '../up/steps.ts';
import { UserError } from '../user-error.ts';
import { defaultTokenGroups, defaultTokenTtlMs, parseToken, type TokenUsage, tokenUsages } from './bootstrap-token.ts';
import { controlPlaneConfig, createToken, deleteToken, formatTokens, joinCommand, listTokens } from './token-commands.ts';

interface CreateOptions {
  readonly rootDir: string;
  readonly ttl?: string;
  readonly usages?: string;
  readonly groups?: string;
  readonly description?: string;
  readonly printJoinCommand?: boolean;
}

const listOf = (text: string): readonly string[] =>
  text
    .split(',')
    .map((s) => s.trim())
    .filter((s) => s !== '');

function parseTtl(text: string | undefined): number | undefined {
  const ms = text === undefined ? defaultTokenTtlMs : parseDuration(text);
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

/** `skiff token create|list|delete`: kubeadm's options and defaults. */
export function addTokenCommand(program: Command, o: { defaultRootDir: string; steps: Steps }): void {
  const { steps } = o;
  const token = program.command('token').description('bootstrap tokens, with which other hosts join');
  const withRoot = (c: Command): Command => c.option('--root-dir <path>', 'folder that holds all state', o.defaultRootDir);
  withRoot(token.command('create').description('make a token').argument('[token]', 'the token itself; a random one when absent'))
    .option('--ttl <duration>', 'how long it is good for; 0: for ever', '24h')
    .option('--usages <list>', 'what it is for: signing, authentication', tokenUsages.join(','))
    .option('--groups <list>', 'groups of who uses it', defaultTokenGroups.join(','))
    .option('--description <text>', 'what it is for, for people')
    .option('--print-join-command', 'print the line that a new host is to run')
    .action(async (text: string | undefined, options: CreateOptions) => {
      const ttlMs = parseTtl(options.ttl);
      const config = controlPlaneConfig(options.rootDir);
      const made = await createToken(config, {
        ...(text === undefined ? {} : { token: parseToken(text) }),
        expiresAtMs: ttlMs === undefined ? undefined : Date.now() + ttlMs,
        usages: parseUsages(options.usages),
        groups: parseGroups(options.groups),
        description: options.description ?? '',
      });
      steps.line(options.printJoinCommand === true ? joinCommand(config, made) : `${made.id}.${made.secret}`);
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
