import { existsSync, mkdirSync, openSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { spawn } from 'node:child_process';
import { request } from 'node:http';
import { findProgram } from './requirements.ts';
import { CommandFailed, run, runOk } from './run.ts';

export interface EngineFacts {
  readonly version: string;
  readonly liveRestore: boolean;
}

function engineGet(socketPath: string, path: string): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const req = request({ socketPath, path, timeout: 5000 }, (res) => {
      const chunks: Buffer[] = [];
      res.on('data', (c: Buffer) => chunks.push(c));
      res.on('end', () => {
        try {
          resolve(JSON.parse(Buffer.concat(chunks).toString()));
        } catch (error) {
          reject(error as Error);
        }
      });
      res.on('error', reject);
    });
    req.on('timeout', () => req.destroy(new Error('Docker Engine does not answer')));
    req.on('error', reject);
    req.end();
  });
}

/** undefined when no engine answers on the socket. */
export async function engineFacts(socketPath: string): Promise<EngineFacts | undefined> {
  try {
    const info = (await engineGet(socketPath, '/info')) as { ServerVersion?: string; LiveRestoreEnabled?: boolean };
    if (info.ServerVersion === undefined) return undefined;
    return { version: info.ServerVersion, liveRestore: info.LiveRestoreEnabled === true };
  } catch {
    return undefined;
  }
}

const logPath = '/var/log/dockerd.log';
const hasSystemd = (): boolean => existsSync('/run/systemd/system');

/** On an engine that Skiff installed: containers live on while dockerd is down or restarted. A user's own configuration is left alone. */
export function writeEngineConfiguration(): void {
  if (existsSync('/etc/docker/daemon.json')) return;
  mkdirSync('/etc/docker', { recursive: true });
  writeFileSync('/etc/docker/daemon.json', `${JSON.stringify({ 'live-restore': true }, null, 2)}\n`);
}

/** Starts dockerd through systemd where it runs, else as a detached process; resolves when the API answers. Throws when it doesn't within two minutes, or has ended. */
export async function startEngine(socketPath: string): Promise<EngineFacts> {
  let ended: string | undefined;
  if (hasSystemd()) {
    await runOk('systemctl', ['enable', '--now', 'docker']);
  } else {
    if (existsSync('/sys/fs/cgroup') && readdirSync('/sys/fs/cgroup').length === 0) {
      const mount = findProgram('cgroupfs-mount');
      if (mount !== undefined) await run(mount, []);
    }
    const dockerd = findProgram('dockerd');
    if (dockerd === undefined) throw new Error('dockerd is not installed');
    const log = openSync(logPath, 'a');
    // The engine outlives whoever starts it, and with it a temporary folder of the caller's own.
    const { TMPDIR: _temporary, ...env } = process.env;
    const child = spawn(dockerd, ['-p', '/run/docker.pid'], { detached: true, stdio: ['ignore', log, log], env });
    child.once('error', (error) => (ended = error.message));
    child.once('exit', (code, signal) => (ended = signal ?? `exit code ${code}`));
    child.unref();
  }
  const deadline = Date.now() + 120_000;
  for (;;) {
    const facts = await engineFacts(socketPath);
    if (facts !== undefined) return facts;
    if (ended !== undefined) {
      const said = readFileSync(logPath, 'utf8').trim().split('\n').slice(-6).join('\n  ');
      throw new CommandFailed(`dockerd was started and has ended (${ended}); the end of ${logPath}:\n  ${said}`);
    }
    if (Date.now() > deadline)
      throw new Error(
        'Docker Engine was started but does not answer within two minutes; see /var/log/dockerd.log or `journalctl -u docker`',
      );
    await new Promise((r) => setTimeout(r, 100));
  }
}
