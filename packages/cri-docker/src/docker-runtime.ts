import type { ContainerRuntime, RuntimeService } from '@skiff/cri';
import type { DockerRuntimeConfig } from './config.ts';
import { createContainers } from './containers.ts';
import { createEngine, type Engine } from './engine.ts';
import { createEngineFacts } from './engine-facts.ts';
import { asRuntimeError } from './engine-error.ts';
import { followEvents } from './events.ts';
import { createExec } from './exec.ts';
import { createImageAccounts } from './image-accounts.ts';
import { createImages } from './images.ts';
import { createLogReader } from './logs.ts';
import { createPortForward } from './port-forward.ts';
import { createSandboxes } from './sandboxes.ts';

export interface DockerRuntime extends ContainerRuntime {
  readonly engine: Engine;
  /** Lets go of idle connections. Containers stay. */
  close(): void;
}

/** The CRI on one Docker Engine. No I/O before the first call. */
export function createDockerRuntime(config: DockerRuntimeConfig): DockerRuntime {
  const engine = createEngine({ socketPath: config.socketPath, requestTimeoutMs: config.requestTimeoutMs });
  const facts = createEngineFacts(engine);
  const images = createImages({ engine, facts, config });
  const sandboxes = createSandboxes({ engine, facts, config });
  const accounts = createImageAccounts({ engine, instance: config.instance });
  const containers = createContainers({ engine, facts, sandboxes, images, accounts, config });

  const runtime: RuntimeService = {
    ...sandboxes,
    ...containers,
    ...createExec(engine),
    version: async () => {
      const v = await engine.version();
      return { runtimeName: 'docker', runtimeVersion: v.version, apiVersion: v.apiVersion };
    },
    status: async () => {
      const f = await facts.get();
      await (await engine.docker()).ping().catch((error: unknown) => {
        throw asRuntimeError(error);
      });
      return { ...f, ready: true, message: '' };
    },
    portForward: createPortForward(sandboxes),
    containerLogs: createLogReader(engine),
    events: (signal) => followEvents({ engine, instance: config.instance, signal, onDisconnect: () => facts.forget() }),
  };
  return { runtime, images, engine, close: () => engine.close() };
}
