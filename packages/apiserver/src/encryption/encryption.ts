import { readFileSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import type { ResourceDefinition } from '@skiff/apimachinery';
import type { Clock, Logger } from '@skiff/component-base';
import { EncryptionConfigError, type EncryptionRules, parseEncryptionConfig } from './encryption-config.ts';
import { identity, type TransformerChain } from './transformers.ts';

/** How what lies at a key is kept. */
export interface Encryption {
  /** undefined: no object of the API lies there. */
  chainFor(key: string): TransformerChain | undefined;
  /** Looks at the file every few seconds and uses what it says now; a broken one is logged, and nothing changes. Resolves when aborted. */
  follow(signal: AbortSignal): Promise<void>;
  /** Calls `listener` whenever there are other keys than before. */
  onChange(listener: () => void): void;
}

export interface EncryptionFile {
  readonly file: string;
  readonly reload: boolean;
  /** Ends in `/`. */
  readonly root: string;
}

const checkMs = 5_000;
const plain: TransformerChain = [identity];

/** Which resource the objects below a key belong to: built-in kinds by the table, others by upstream's layout `group/plural/…`. */
export function resourceOfKey(
  definitions: readonly ResourceDefinition[],
  root: string,
): (key: string) => { group: string; resource: string } | undefined {
  const known = new Map<string, { group: string; resource: string }>();
  for (const d of definitions) {
    if (!known.has(d.storagePrefix)) known.set(d.storagePrefix, { group: d.storageVersion?.group ?? d.group, resource: d.plural });
  }
  return (key) => {
    if (!key.startsWith(root)) return undefined;
    const [first = '', second = '', ...rest] = key.slice(root.length).split('/');
    const two = `${first}/${second}`;
    const found = known.get(two) ?? known.get(first);
    if (found !== undefined) return found;
    return first.includes('.') && rest.length > 0 ? { group: first, resource: second } : undefined;
  };
}

/** Reads the file. Throws EncryptionConfigError. */
export function openEncryption(
  config: EncryptionFile,
  deps: { definitions: readonly ResourceDefinition[]; clock: Clock; log: Logger },
): Encryption {
  const { clock, log } = deps;
  const resourceOf = resourceOfKey(deps.definitions, config.root);
  const parsed = (text: string): EncryptionRules => {
    try {
      return parseEncryptionConfig(text);
    } catch (error) {
      if (!(error instanceof EncryptionConfigError)) throw error;
      throw new EncryptionConfigError(`--encryption-provider-config: ${config.file}: ${error.message}`);
    }
  };
  let text: string;
  try {
    text = readFileSync(config.file, 'utf8');
  } catch (error) {
    throw new EncryptionConfigError(`--encryption-provider-config: ${(error as Error).message}`);
  }
  let rules = parsed(text);
  const listeners: (() => void)[] = [];
  return {
    onChange: (listener) => void listeners.push(listener),
    chainFor: (key) => {
      const resource = resourceOf(key);
      return resource === undefined ? undefined : (rules(resource.group, resource.resource) ?? plain);
    },
    follow: async (signal) => {
      let refused = '';
      while (config.reload && !signal.aborted) {
        try {
          await clock.sleep(checkMs, signal);
        } catch {
          return;
        }
        try {
          const now = await readFile(config.file, 'utf8');
          if (now === text || now === refused) continue;
          refused = now;
          rules = parsed(now);
          text = now;
          log.info({ file: config.file }, 'the encryption configuration has changed; using the new one');
          for (const listener of listeners) listener();
        } catch (error) {
          log.error({ err: error }, 'the encryption configuration could not be reloaded; keeping the old one');
        }
      }
    },
  };
}
