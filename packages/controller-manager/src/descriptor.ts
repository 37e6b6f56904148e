import type { ControllerDefinition, ControllerDependencies, ControllerMetrics } from '@skiff/client';
import type { ControllerManagerConfig } from './config.ts';

export interface RunContext extends ControllerDependencies {
  readonly config: ControllerManagerConfig;
  readonly metrics?: ControllerMetrics;
}

/** One control loop: what `--controllers` names, and how it comes to run. Exactly one of `define` and `run`. */
export interface ControllerDescriptor {
  /** Upstream's name. */
  readonly name: string;
  /** `source.component` of its Events; the name if absent. */
  readonly eventComponent?: string;
  /** Runs only when it is named: `--controllers=*,name`. */
  readonly offByDefault?: boolean;
  /** Why it can't run with this configuration; it is then left out, with a log line. */
  readonly missing?: (config: ControllerManagerConfig) => string | undefined;
  readonly define?: (config: ControllerManagerConfig) => ControllerDefinition | readonly ControllerDefinition[];
  /** Resolves when `signal` has aborted and all it started has stopped. */
  readonly run?: (context: RunContext, signal: AbortSignal) => Promise<void>;
}
