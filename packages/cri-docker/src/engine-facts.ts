import type { RuntimeStatus } from '@skiff/cri';
import type { Engine } from './engine.ts';
import { asRuntimeError } from './engine-error.ts';
import { findEngineProcess } from './engine-process.ts';
import { detectOomScoreFloor } from './oom-score.ts';

/** What stays the same while the engine runs. */
export interface EngineFacts extends Omit<RuntimeStatus, 'ready' | 'message'> {
  readonly rootDirectory: string;
  /** Devices can be given by CDI names. */
  readonly cdi: boolean;
  /** Lowest oom_score_adj that containers can get. */
  readonly oomScoreFloor: number;
}

/** Facts are read once and forgotten when the engine was away. */
export interface EngineFactsReader {
  get(): Promise<EngineFacts>;
  /** A start showed that the engine may not lower scores. */
  noteOomScoreRefused(): void;
  forget(): void;
}

interface Info {
  readonly CgroupDriver: string;
  readonly CgroupVersion?: string;
  readonly Runtimes?: Readonly<Record<string, unknown>>;
  /** Where CDI specifications lie; empty where the feature is off. */
  readonly CDISpecDirs?: readonly string[] | null;
  readonly LiveRestoreEnabled?: boolean;
  readonly DockerRootDir: string;
  readonly ServerVersion: string;
}

export function createEngineFacts(engine: Engine): EngineFactsReader {
  let facts: Promise<EngineFacts> | undefined;
  let scoresRefused = false;
  const read = async (): Promise<EngineFacts> => {
    const docker = await engine.docker();
    const info = (await docker.info().catch((error: unknown) => {
      throw asRuntimeError(error);
    })) as Info;
    const daemonPid = await findEngineProcess(engine.socketPath);
    return {
      cgroupVersion: info.CgroupVersion === '2' ? 2 : 1,
      cgroupDriver: info.CgroupDriver === 'systemd' ? 'systemd' : 'cgroupfs',
      handlers: ['', ...Object.keys(info.Runtimes ?? {})],
      recursiveReadOnlyMounts: Number(info.ServerVersion.split('.')[0]) >= 25,
      supplementalGroupsPolicy: true,
      imageMounts: false,
      cdi: (info.CDISpecDirs ?? []).length > 0,
      liveRestore: info.LiveRestoreEnabled ?? false,
      rootDirectory: info.DockerRootDir,
      oomScoreFloor: scoresRefused ? 0 : await detectOomScoreFloor(daemonPid),
      ...(daemonPid === undefined ? {} : { daemonPid }),
    };
  };
  const reader: EngineFactsReader = {
    get: () => {
      facts ??= read().catch((error: unknown) => {
        facts = undefined;
        throw error;
      });
      return facts;
    },
    noteOomScoreRefused: () => {
      scoresRefused = true;
      facts = undefined;
    },
    forget: () => {
      facts = undefined;
    },
  };
  return reader;
}
