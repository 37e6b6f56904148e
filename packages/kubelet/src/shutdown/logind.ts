import { type ChildProcess, spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { createInterface } from 'node:readline';
import type { Logger } from '@skiff/component-base';
import type { RunCommand } from '../host/run-command.ts';
import type { ShutdownSource } from './node-shutdown.ts';

const logind = ['org.freedesktop.login1', '/org/freedesktop/login1', 'org.freedesktop.login1.Manager'] as const;
const dropIn = '/etc/systemd/logind.conf.d';

/** `t 5000000`: what busctl prints of a 64-bit number; undefined for anything else. */
export const parseMicros = (text: string): number | undefined => {
  const digits = /^t (\d+)\s*$/.exec(text)?.[1];
  return digits === undefined ? undefined : Number(digits);
};

/** A line of `busctl monitor --json=short`: whether it announces a shutdown, or takes that back; undefined for other messages. */
export function parseAnnouncement(line: string): boolean | undefined {
  let message: { member?: unknown; payload?: { data?: unknown } };
  try {
    message = JSON.parse(line) as typeof message;
  } catch {
    return undefined;
  }
  const data = message.payload?.data;
  const first: unknown = Array.isArray(data) ? data[0] : undefined;
  return message.member === 'PrepareForShutdown' && typeof first === 'boolean' ? first : undefined;
}

/** logind holds the shutdown back for as long as it is configured to at most; upstream's kubelet raises that where it is too short. */
async function raiseDelay(graceSeconds: number, run: RunCommand, log: Logger): Promise<void> {
  const micros = parseMicros(await run('busctl', ['get-property', ...logind, 'InhibitDelayMaxUSec']));
  if (micros === undefined || micros >= graceSeconds * 1e6) return;
  await mkdir(dropIn, { recursive: true });
  await writeFile(
    `${dropIn}/99-kubelet.conf`,
    `# Written by Skiff's kubelet: shutdownGracePeriod asks for it.\n[Login]\nInhibitDelayMaxSec=${Math.ceil(graceSeconds)}\n`,
  );
  await run('systemctl', ['kill', '-s', 'HUP', 'systemd-logind']);
  log.info({ seconds: graceSeconds }, 'logind now waits so long before the machine goes down');
}

/**
 * Announcements of systemd-logind, with an inhibitor that makes it wait, through systemd's own programs; and SIGPWR for machines whose init is
 * another one.
 */
export function createShutdownSource(config: { readonly graceSeconds: number }, deps: { run: RunCommand; log: Logger }): ShutdownSource {
  const { run, log } = deps;
  return {
    announcements: async function* (signal) {
      const queue: { goingDown: boolean; release(): void }[] = [];
      let wake: () => void = () => undefined;
      const push = (goingDown: boolean, release: () => void): void => {
        queue.push({ goingDown, release });
        wake();
      };
      const children: ChildProcess[] = [];
      const start = (command: string, args: readonly string[], stdout: 'pipe' | 'ignore'): ChildProcess => {
        const child = spawn(command, args, { stdio: ['ignore', stdout, 'ignore'] });
        child.on('error', (error) => log.warn({ err: error }, `${command} can't be run: shutdowns by logind are not seen`));
        children.push(child);
        return child;
      };
      const inhibit = (): ChildProcess =>
        start(
          'systemd-inhibit',
          ['--what=shutdown', '--who=kubelet', '--why=Kubelet needs time to handle node shutdown', '--mode=delay', 'sleep', 'infinity'],
          'ignore',
        );
      const onPower = (): void => push(true, () => undefined);
      const onAbort = (): void => wake();
      process.on('SIGPWR', onPower);
      signal.addEventListener('abort', onAbort);
      try {
        const present = await raiseDelay(config.graceSeconds, run, log).then(
          () => true,
          () => false,
        );
        if (present) {
          let lock = inhibit();
          const monitor = start(
            'busctl',
            [
              '--system',
              '--json=short',
              'monitor',
              '--match',
              "type='signal',interface='org.freedesktop.login1.Manager',member='PrepareForShutdown'",
            ],
            'pipe',
          );
          if (monitor.stdout !== null)
            createInterface({ input: monitor.stdout }).on('line', (line) => {
              const goingDown = parseAnnouncement(line);
              if (goingDown === undefined) return;
              if (!goingDown && lock.killed) lock = inhibit();
              push(goingDown, () => lock.kill());
            });
        } else log.info('there is no logind on this machine: the pods are ended for a shutdown when the kubelet gets SIGPWR');
        while (!signal.aborted) {
          const next = queue.shift();
          if (next !== undefined) yield next;
          else
            await new Promise<void>((resolve) => {
              wake = resolve;
              if (signal.aborted || queue.length > 0) resolve();
            });
        }
      } finally {
        process.off('SIGPWR', onPower);
        signal.removeEventListener('abort', onAbort);
        for (const child of children) child.kill();
      }
    },
  };
}
