import type { JsonObject, ResourceDefinition } from '@skiff/apimachinery';
import type { ConvertObjects } from '../contract.ts';
import type { ServedForm, StoredEntry } from '../storage/stored-entry.ts';
import { type Conversion, UndecodableError } from '../storage/view.ts';
import type { EncodedObject, ResourceCodec, WebhookCodec } from './resource-codec.ts';
import type { ServedResource } from './stored-resource.ts';

/** One call is about no more than this; what is beyond goes in the next. */
const maxObjects = 500;
const maxBytes = 2 * 1024 * 1024;

/** Objects in portions that one call of a webhook can take. */
export function* portions<T>(items: readonly T[], bytesOf: (item: T) => number): Generator<readonly T[]> {
  let portion: T[] = [];
  let bytes = 0;
  for (const item of items) {
    const more = bytesOf(item);
    if (portion.length > 0 && (portion.length >= maxObjects || bytes + more > maxBytes)) {
      yield portion;
      portion = [];
      bytes = 0;
    }
    portion.push(item);
    bytes += more;
  }
  if (portion.length > 0) yield portion;
}

function sourceOf(codec: WebhookCodec, entry: StoredEntry): JsonObject {
  try {
    return codec.source(entry.value);
  } catch (error) {
    throw new UndecodableError(entry.key, error);
  }
}

/** How entries that are stored in other versions are shown in this one. undefined: no webhook is needed for it. */
export function conversionOf(d: ResourceDefinition, codec: ResourceCodec, convert: ConvertObjects): Conversion | undefined {
  const { webhook } = codec;
  if (webhook === undefined) return undefined;
  return {
    needs: (entry) => webhook.needs(entry.value),
    convert: async (entries) => {
      const forms: ServedForm[] = [];
      for (const portion of portions(entries, (e) => e.value.length)) {
        const converted = await convert(
          d,
          portion.map((e) => sourceOf(webhook, e)),
        );
        for (const tree of converted) forms.push(webhook.serveConverted(tree));
      }
      return forms;
    },
  };
}

/** What is put into the store. Without a form it will be made as others make it, from the stored value. */
export interface StorableObject {
  readonly value: Buffer;
  readonly form: ServedForm | undefined;
}

/** An encoded object as it is stored: in the storage version. Throws what the conversion throws. */
export async function storable(resource: ServedResource, encoded: EncodedObject): Promise<StorableObject> {
  if (encoded.unconverted !== true) return encoded;
  const { codec, definition } = resource;
  const storage = definition.custom?.storage;
  if (codec.webhook === undefined || storage === undefined) return encoded;
  const [tree] = await resource.convert(storage, [codec.parse(encoded.form) as unknown as JsonObject]);
  if (tree === undefined) throw new Error('a conversion without a result');
  return { value: codec.webhook.encodeConverted(tree), form: undefined };
}

/** Waits for what `formOf` can't do in place. */
export async function prepareEntries(resource: ServedResource, entries: readonly (StoredEntry | undefined)[]): Promise<void> {
  const prepared = resource.view.prepare(entries);
  if (prepared !== undefined) await prepared;
}

/** An object is wanted in another version, and a webhook has to be asked for it. */
export class ConversionAwaited extends Error {
  override readonly name = 'ConversionAwaited';
  readonly to: ResourceDefinition;
  readonly tree: JsonObject;
  constructor(to: ResourceDefinition, tree: JsonObject) {
    super(`${to.kind} has to be converted to ${to.version}`);
    this.to = to;
    this.tree = tree;
  }
}

/**
 * Results of conversions for code that can't wait: it throws ConversionAwaited when it meets one that isn't known, and runs again when it is
 * (`settled`). Bounded; only the last ones count.
 */
export class KnownConversions {
  readonly #known = new Map<string, JsonObject>();

  get(to: ResourceDefinition, tree: JsonObject): JsonObject {
    const found = this.#known.get(keyOf(to, tree));
    if (found === undefined) throw new ConversionAwaited(to, tree);
    return structuredClone(found);
  }

  /** Runs `work` until it meets no conversion that isn't known. */
  async settled<T>(work: () => T | Promise<T>, convert: ConvertObjects): Promise<T> {
    for (;;) {
      try {
        return await work();
      } catch (error) {
        if (!(error instanceof ConversionAwaited)) throw error;
        const [tree] = await convert(error.to, [error.tree]);
        if (tree === undefined) throw new Error('a conversion without a result', { cause: error });
        if (this.#known.size >= maxKnown) this.#known.delete(this.#known.keys().next().value ?? '');
        this.#known.set(keyOf(error.to, error.tree), tree);
      }
    }
  }
}

const maxKnown = 64;
const keyOf = (to: ResourceDefinition, tree: JsonObject): string => `${to.version} ${JSON.stringify(tree)}`;
