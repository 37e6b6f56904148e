import type { DeepReadonly, KubeObject } from '@skiff/apimachinery';
import type { DeleteOptions } from './delete-options.ts';

/** Called once when it is known whether what a hook prepared was stored. */
export type HookFinish = (committed: boolean) => Promise<void> | void;

/**
 * What a kind needs around its writes beyond pure strategy: Services allocate addresses and ports. Runs inside the guaranteed-update
 * closure, so that a lost race calls `finish(false)` and prepares anew.
 */
export interface ResourceHooks {
  /** After mutating admission, before prepareForCreate. May change the draft. */
  beforeCreate?(draft: KubeObject, o: { dryRun: boolean }): Promise<HookFinish | undefined>;
  beforeUpdate?(draft: KubeObject, old: DeepReadonly<KubeObject>, o: { dryRun: boolean }): Promise<HookFinish | undefined>;
  afterDelete?(object: DeepReadonly<KubeObject>, o: { dryRun: boolean }): Promise<void>;
  /** May an update that drops the last of metadata's finalizers delete the object? Namespaces have finalizers in their spec as well. */
  mayFinalize?(draft: DeepReadonly<KubeObject>): boolean;
  /** Replaces the generic rules of deletion: store the changed draft, leave everything as it is, or (undefined) go on generically. */
  computeDeletion?(draft: KubeObject, options: DeleteOptions, now: string): 'mark' | 'keep' | undefined;
  /** Warnings for a client that deletes objects of this kind with these options. */
  deletionWarnings?(options: DeleteOptions): readonly string[];
}
