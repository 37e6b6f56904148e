import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, existsSync, mkdirSync, openSync, closeSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createConnection, createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { createInterface } from 'node:readline';
import Docker from 'dockerode';
import { importHostImage, type HostImage } from '@skiff/testing/host-image';
import { eventually, repositoryRoot, splitWords, type CommandResult } from '../e2e/support/cluster.ts';
import { makeHostGroups, removeGroups, renderHierarchies } from './cgroups.ts';
import { enginePath, type EngineVersion } from './engine.ts';
import { insideCommand, runInside, spawnInside, type InsideProcess, type RunOptions } from './inside.ts';
import type { Port, Switch } from './switch.ts';

export interface HostConfig {
  readonly lab: string;
  readonly port: Port;
  readonly gateway: string;
  readonly mac: string;
  readonly engine: EngineVersion;
  /** Folder of this host; what is in it survives a reboot. */
  readonly folder: string;
  /** Lines of /etc/hosts for all hosts. */
  readonly hostsFile: string;
  /** A path that ends up in the folder of commands (`skiff`, `kubectl`). */
  readonly scripts: string;
}

const bootScript = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, 'boot.sh');
const relayScript = join(import.meta.dirname ?? new URL('.', import.meta.url).pathname, 'relay.mjs');

interface Running {
  readonly pid: number;
  readonly carrier: ChildProcess;
  readonly services: Set<InsideProcess>;
  relay?: Promise<void>;
}

/** A machine of the lab. It keeps its disk (`folder`), addresses and name over `kill` and `start`. */
export class Host {
  readonly name: string;
  readonly address: string;
  /** The engine of this host, reached from outside. Valid over reboots. */
  readonly docker: Docker;
  readonly #config: HostConfig;
  readonly #wire: Switch;
  readonly #env: NodeJS.ProcessEnv;
  #running: Running | undefined;

  constructor(config: HostConfig, wire: Switch) {
    this.#config = config;
    this.#wire = wire;
    this.name = config.port.host;
    this.address = config.port.address;
    this.docker = new Docker({ socketPath: join(config.folder, 'docker.sock') });
    this.#env = {
      PATH: [
        ...enginePath(config.engine),
        '/run/lab/bin',
        '/usr/local/sbin',
        '/usr/local/bin',
        '/usr/sbin',
        '/usr/bin',
        '/sbin',
        '/bin',
      ].join(':'),
      HOME: '/var/lib/home',
      LANG: 'C.UTF-8',
      TERM: process.env['TERM'] ?? 'dumb',
      KUBECONFIG: '/var/lib/skiff/kubeconfig/admin.conf',
    };
  }

  /** Pid of the host's PID 1, as the machine knows it. Throws while the host is off. */
  get pid(): number {
    if (this.#running === undefined) throw new Error(`host ${this.name} is off`);
    return this.#running.pid;
  }

  get hasEngine(): boolean {
    return this.#config.engine !== 'none';
  }

  get on(): boolean {
    return this.#running !== undefined;
  }

  /** Where a path of the host is for programs outside. */
  path(inside: string): string {
    return join(`/proc/${this.pid}/root`, inside);
  }

  /** Switches the host on: about 0.5 s with an engine. Resolves when the engine answers. */
  async start(): Promise<void> {
    if (this.#running !== undefined) throw new Error(`host ${this.name} is on already`);
    const { lab, port, folder } = this.#config;
    mkdirSync(folder, { recursive: true, mode: 0o711 });
    const groups = makeHostGroups(lab, this.name);
    const enter = (files: readonly string[]): string => files.map((f) => `echo $$ >${f}`).join(' && ');
    const script = [
      enter(groups.enter),
      // The namespace's root is the group in which it is made; its processes then go into their own group.
      `exec unshare --cgroup sh -c '${[enter(groups.enterOwn), 'exec "$@"'].filter((s) => s !== '').join(' && ')}' sh "$@"`,
    ].join(' && ');
    const separate = ['unshare', '--mount', '--uts', '--ipc', '--net', '--pid', '--fork', '--propagation', 'private'];
    const log = openSync(join(folder, 'boot.log'), 'a');
    const carrier = spawn('/bin/sh', ['-c', script, 'sh', ...separate, 'bash', bootScript, `skiff-lab ${lab} ${this.name}`], {
      stdio: ['pipe', 'pipe', log],
      detached: true,
      cwd: '/',
      env: {
        ...this.#env,
        LAB_DIR: folder,
        LAB_NAME: this.name,
        LAB_HOSTS: this.#config.hostsFile,
        LAB_DNS: this.#config.gateway,
        LAB_CGROUPS: renderHierarchies(),
        LAB_SCRIPTS: this.#config.scripts,
      },
    });
    closeSync(log);
    if (carrier.stdin === null || carrier.stdout === null) throw new Error('spawn gave no pipes');
    carrier.stdin.on('error', () => undefined);
    const said = createInterface({ input: carrier.stdout })[Symbol.asyncIterator]();
    const hear = async (): Promise<string> => {
      const line = await said.next();
      if (line.done === true)
        throw new Error(`host ${this.name} does not start:\n${readFileSync(join(folder, 'boot.log'), 'utf8').slice(-2000)}`);
      return line.value;
    };
    const pid = Number((await hear()).split(' ')[1]);
    await this.#wire.unplug(this.name);
    await this.#wire.plug(port, pid, this.#config.mac);
    await hear();
    this.#running = { pid, carrier, services: new Set() };
    for (const [file, target] of [
      ['docker.sock', '/run/docker.sock'],
      ['relay.sock', '/run/lab/relay.sock'],
    ] as const) {
      rmSync(join(folder, file), { force: true });
      symlinkSync(this.path(target), join(folder, file));
    }
    writeFileSync(
      join(folder, 'enter'),
      `#!/bin/sh\n# A shell in host ${this.name}, or a command: enter skiff status\n[ $# -gt 0 ] || set -- bash\n` +
        `exec env -i ${Object.entries(this.#env)
          .map(([k, v]) => `${k}=${v ?? ''}`)
          .join(' ')} ` +
        `${insideCommand(pid, 'env', [])
          .map((w) => `'${w.replaceAll("'", `'\\''`)}'`)
          .join(' ')} "$@"\n`,
      { mode: 0o755 },
    );
    if (this.#config.engine !== 'none') await this.startEngine();
  }

  /** A power cut: nothing of the host gets a chance to say good-bye. Its disk stays. */
  async kill(): Promise<void> {
    const running = this.#running;
    if (running === undefined) return;
    this.#running = undefined;
    const gone = running.carrier.exitCode !== null || running.carrier.signalCode !== null ? undefined : once(running.carrier, 'exit');
    // First the wire: processes die one after the other, and a kernel that goes on taking connections for them is no power cut.
    await this.#wire.unplug(this.name);
    try {
      process.kill(running.pid, 'SIGKILL');
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
    }
    await gone;
    await Promise.all([...running.services].map((s) => s.ended));
    removeGroups(this.#config.lab, this.name);
  }

  /** Runs a program in the host to its end: `run('skiff', ['status'])`. Never throws for an exit code. */
  run(program: string, args: readonly string[] = [], o: RunOptions = {}): Promise<CommandResult> {
    return runInside(this.pid, program, args, this.#env, o);
  }

  /** As `run`; throws with what was printed unless the exit code is 0. */
  async runOk(program: string, args: readonly string[] = [], o: RunOptions = {}): Promise<CommandResult> {
    const result = await this.run(program, args, o);
    if (result.code !== 0)
      throw new Error(`${this.name}: ${program} ${args.join(' ')}: exit code ${result.code}\n${result.stdout}${result.stderr}`);
    return result;
  }

  /** Standard output of a program that has to succeed. */
  async ok(program: string, args: readonly string[] = [], o: RunOptions = {}): Promise<string> {
    return (await this.runOk(program, args, o)).stdout;
  }

  /** Starts a program in the host and leaves it running; it ends with the host at the latest. */
  spawn(program: string, args: readonly string[] = [], o: RunOptions = {}): InsideProcess {
    const running = this.#running;
    if (running === undefined) throw new Error(`host ${this.name} is off`);
    const started = spawnInside(running.pid, program, args, this.#env, o);
    running.services.add(started);
    const forget = (): void => void running.services.delete(started);
    started.ended.then(forget, forget);
    return started;
  }

  tryKubectl(args: string, o: RunOptions = {}): Promise<CommandResult> {
    return this.run('kubectl', splitWords(args), { timeoutMs: 90_000, ...o });
  }

  /** kubectl with the cluster's kubeconfig; throws with what it printed when it fails. */
  kubectl(args: string, o: RunOptions = {}): Promise<string> {
    return this.ok('kubectl', splitWords(args), { timeoutMs: 90_000, ...o });
  }

  /** Starts dockerd as a machine without systemd does; resolves when it answers. Its log is /var/log/dockerd.log. */
  async startEngine(): Promise<void> {
    if (!existsSync(this.path('/etc/docker/daemon.json')))
      writeFileSync(this.path('/etc/docker/daemon.json'), `${JSON.stringify({ 'live-restore': true })}\n`);
    const service = this.spawn('sh', ['-c', 'exec dockerd -p /run/docker.pid >>/var/log/dockerd.log 2>&1 </dev/null']);
    await eventually(
      `Docker Engine of ${this.name} answers`,
      async () => {
        if (service.child.exitCode !== null) throw new Error(await this.ok('tail', ['-n', '5', '/var/log/dockerd.log']));
        return this.docker.ping().then(() => true);
      },
      120_000,
    );
  }

  /** Ends dockerd, gracefully or not; resolves when it is gone. Containers live on (live-restore). */
  async stopEngine(signal: 'SIGTERM' | 'SIGKILL' = 'SIGTERM'): Promise<void> {
    await this.ok(
      'sh',
      ['-c', `pid=$(cat /run/docker.pid) && kill -${signal.slice(3)} $pid && while [ -e /proc/$pid ]; do sleep 0.05; done`],
      {
        timeoutMs: 30_000,
      },
    );
  }

  loadImages(images: readonly HostImage[]): Promise<unknown> {
    return Promise.all(images.map((image) => importHostImage(this.docker, image)));
  }

  /** A TCP connection made in the host, whose this end is in the test. */
  async connect(port: number, address = '127.0.0.1'): Promise<Duplex> {
    const running = this.#running;
    if (running === undefined) throw new Error(`host ${this.name} is off`);
    running.relay ??= this.#startRelay();
    await running.relay;
    const socket = createConnection({ path: join(this.#config.folder, 'relay.sock'), allowHalfOpen: true });
    await once(socket, 'connect');
    socket.write(`${address} ${port}\n`);
    return socket;
  }

  /** A port of this machine's loopback that leads to a port of the host, for as long as the test runs; also over reboots of the host. */
  async forward(port: number, address = '127.0.0.1'): Promise<{ readonly port: number; close(): void }> {
    const server = createServer({ allowHalfOpen: true }, (outer) => {
      outer.on('error', () => outer.destroy());
      this.connect(port, address).then(
        (inner) => {
          inner.on('error', () => outer.destroy());
          inner.on('close', () => outer.destroy());
          outer.on('close', () => inner.destroy());
          outer.pipe(inner).pipe(outer);
        },
        () => outer.destroy(),
      );
    });
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    server.unref();
    return { port: (server.address() as AddressInfo).port, close: () => server.close() };
  }

  async #startRelay(): Promise<void> {
    const relay = this.spawn(process.execPath, [relayScript, '/run/lab/relay.sock']);
    await once(relay.child.stdout, 'data');
  }

  /** Appends to a file of the host. */
  append(file: string, text: string): void {
    appendFileSync(this.path(file), text);
  }
}

export const skiffScripts = (folder: string): void => {
  mkdirSync(folder, { recursive: true });
  const script = (name: string, command: string): void =>
    writeFileSync(join(folder, name), `#!/bin/sh\nexec ${command} "$@"\n`, { mode: 0o755 });
  script('skiff', `${process.execPath} ${join(repositoryRoot, 'packages/cli/dist/main.js')}`);
  const kubectl = process.env['SKIFF_KUBECTL'] ?? 'kubectl';
  if (kubectl.includes('/')) script('kubectl', kubectl);
};
