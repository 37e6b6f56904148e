import { PassThrough } from 'node:stream';
import type { ContainerConfig, ContainerStatus } from '../container.ts';
import { RuntimeError } from '../runtime-error.ts';
import type { LogLine } from '../streams.ts';
import { exitCodeOfSignal, type FakeProcess, type FakeProgram } from './program.ts';

export interface FakeClockReader {
  now(): number;
}

/** One process with its streams: the first of a container, or an exec. */
export class RunningProcess {
  readonly stdin: PassThrough | undefined;
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly exited: Promise<number>;
  #signalHandler: ((name: string) => void) | undefined;
  #resolve!: (code: number) => void;
  #done = false;

  constructor(withStdin: boolean) {
    this.stdin = withStdin ? new PassThrough() : undefined;
    this.exited = new Promise((resolve) => {
      this.#resolve = resolve;
    });
  }
  run(program: FakeProgram, args: readonly string[], env: ReadonlyMap<string, string>): void {
    const process: FakeProcess = {
      args,
      env,
      stdin: this.stdin,
      stdout: this.stdout,
      stderr: this.stderr,
      onSignal: (handler) => {
        this.#signalHandler = handler;
      },
      exit: (code) => this.exit(code),
    };
    program(process);
  }
  exit(code: number): void {
    if (this.#done) return;
    this.#done = true;
    this.stdout.end();
    this.stderr.end();
    this.#resolve(code);
  }
  signal(name: string): void {
    if (this.#done) return;
    if (name === 'SIGKILL' || this.#signalHandler === undefined) this.exit(exitCodeOfSignal(name));
    else this.#signalHandler(name);
  }
}

export class FakeContainer {
  readonly id: string;
  readonly sandboxId: string;
  readonly config: ContainerConfig;
  readonly createdAtMs: number;
  resources: ContainerConfig['resources'];
  /** Tests set it. */
  writtenBytes = 0;
  startedAtMs = 0;
  finishedAtMs = 0;
  exitCode = 0;
  oomKilled = false;
  startError = '';
  readonly log: LogLine[] = [];
  readonly logChanged = new Set<() => void>();
  /** Mirrors of the first process' output for attached clients. */
  readonly attached = new Set<(stream: 'stdout' | 'stderr', chunk: Buffer) => void>();
  process: RunningProcess | undefined;
  state: 'created' | 'running' | 'exited' = 'created';
  readonly #clock: FakeClockReader;

  constructor(o: { id: string; sandboxId: string; config: ContainerConfig; clock: FakeClockReader }) {
    this.id = o.id;
    this.sandboxId = o.sandboxId;
    this.config = o.config;
    this.resources = o.config.resources;
    this.#clock = o.clock;
    this.createdAtMs = o.clock.now();
  }

  get env(): ReadonlyMap<string, string> {
    return new Map(this.config.envs.map((e) => [e.name, e.value]));
  }

  start(program: FakeProgram | undefined, onExit: () => void): void {
    if (this.state !== 'created') throw new RuntimeError('conflict', `container ${this.id} was started before`);
    const argv = [...this.config.command, ...this.config.args];
    if (program === undefined) {
      this.state = 'exited';
      this.startError = `exec: "${argv[0] ?? ''}": executable file not found in $PATH`;
      this.exitCode = 128;
      this.finishedAtMs = this.#clock.now();
      throw new RuntimeError('start', this.startError);
    }
    this.state = 'running';
    this.startedAtMs = this.#clock.now();
    const process = new RunningProcess(this.config.stdin);
    this.process = process;
    for (const stream of ['stdout', 'stderr'] as const) {
      process[stream].on('data', (chunk: Buffer) => {
        this.log.push({ stream, time: new Date(this.#clock.now()).toISOString().replace('Z', '000000Z'), line: chunk });
        for (const notify of this.logChanged) notify();
        for (const mirror of this.attached) mirror(stream, chunk);
      });
    }
    void process.exited.then((code) => {
      this.state = 'exited';
      this.exitCode = code;
      this.finishedAtMs = this.#clock.now();
      for (const notify of this.logChanged) notify();
      onExit();
    });
    process.run(program, argv, this.env);
  }

  status(): ContainerStatus {
    const exited = this.state === 'exited';
    const reason = !exited
      ? ''
      : this.startError !== ''
        ? 'StartError'
        : this.exitCode === 0
          ? 'Completed'
          : this.oomKilled
            ? 'OOMKilled'
            : 'Error';
    return {
      id: this.id,
      podSandboxId: this.sandboxId,
      metadata: this.config.metadata,
      image: this.config.image,
      imageId: `fake://${this.config.image}`,
      state: this.state,
      createdAtMs: this.createdAtMs,
      startedAtMs: this.startedAtMs,
      finishedAtMs: this.finishedAtMs,
      exitCode: this.exitCode,
      reason,
      message: this.startError,
      labels: this.config.labels,
      annotations: this.config.annotations,
      resources: this.resources,
      stopSignal: this.config.stopSignal ?? 'SIGTERM',
    };
  }
}
