/** What the adapter is told once. */
export interface DockerRuntimeConfig {
  readonly socketPath: string;
  /** Names everything it creates; several instances can share an engine. */
  readonly instance: string;
  /** Name for the sandbox image, or undefined for the built-in one. */
  readonly pauseImage?: string;
  readonly logMaxSize: string;
  readonly logMaxFiles: number;
  /** A pull without any progress for so long is given up. */
  readonly pullProgressDeadlineMs: number;
  /** So long the engine may take for an answer, before it counts as away. */
  readonly requestTimeoutMs: number;
  /** Told of what failed without keeping a container from running. */
  readonly warn?: (error: unknown, message: string) => void;
}

export const defaultDockerRuntimeConfig = {
  socketPath: '/var/run/docker.sock',
  instance: 'skiff',
  logMaxSize: '10m',
  logMaxFiles: 5,
  pullProgressDeadlineMs: 60_000,
  requestTimeoutMs: 120_000,
} satisfies DockerRuntimeConfig;
