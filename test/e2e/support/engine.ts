import { spawn } from 'node:child_process';
import { openSync, readFileSync } from 'node:fs';
import Docker from 'dockerode';
import { command, eventually } from './cluster.ts';

/** Kills the machine's dockerd and starts it again with the arguments it had (systemd does so itself). Resolves when it answers. */
export async function restartEngine(signal: NodeJS.Signals): Promise<void> {
  const pid = Number(readFileSync('/run/docker.pid', 'utf8'));
  const [program = 'dockerd', ...args] = readFileSync(`/proc/${pid}/cmdline`, 'utf8')
    .split('\0')
    .filter((a) => a !== '');
  process.kill(pid, signal);
  await eventually('dockerd has ended', async () => (await command('kill', ['-0', String(pid)])).code !== 0, 30_000);
  const bySystemd = (await command('systemctl', ['is-enabled', 'docker']).catch(() => ({ code: 1 }))).code === 0;
  const running = (): Promise<boolean> => new Docker().ping().then(() => true);
  if (bySystemd && (await command('systemctl', ['is-system-running']).catch(() => ({ code: 1 }))).code === 0) {
    await eventually('dockerd answers', running, 60_000);
    return;
  }
  const log = openSync('/var/log/dockerd.log', 'a');
  // It outlives this test run, whose temporary folder does not.
  const { TMPDIR: _temporary, ...env } = process.env;
  spawn(program, args, { detached: true, stdio: ['ignore', log, log], env }).unref();
  await eventually('dockerd answers', running, 60_000);
}
