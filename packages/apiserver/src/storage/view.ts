import type { ResourceDefinition } from '@skiff/apimachinery';
import type { ServedForm, StoredEntry } from './stored-entry.ts';

/** A stored value that can't be read. LIST and WATCH fail with it rather than hand it on or leave it out. */
export class UndecodableError extends Error {
  readonly key: string;
  constructor(key: string, cause: unknown) {
    super(`unable to decode the stored value of key "${key}": ${cause instanceof Error ? cause.message : String(cause)}`, { cause });
    this.name = 'UndecodableError';
    this.key = key;
  }
}

/** How entries become forms where that takes time. */
export interface Conversion {
  needs(entry: StoredEntry): boolean;
  convert(entries: readonly StoredEntry[]): Promise<readonly ServedForm[]>;
}

/**
 * One served version of a resource, in one generation of its schema: what the stored entries look like to its readers. Each entry is
 * converted once and remembered on the entry itself, so that index, window and snapshots serve all views.
 */
export class View {
  readonly definition: ResourceDefinition;
  /** Position in `StoredEntry.forms`: one for each view of a storage prefix, never used again. */
  readonly slot: number;
  readonly #serve: (value: Buffer, entry: StoredEntry) => ServedForm;
  readonly #conversion: Conversion | undefined;
  /** Entries that are being converted. */
  readonly #underWay = new Map<StoredEntry, Promise<void>>();

  constructor(
    definition: ResourceDefinition,
    slot: number,
    serve: (value: Buffer, entry: StoredEntry) => ServedForm,
    conversion?: Conversion,
  ) {
    this.definition = definition;
    this.slot = slot;
    this.#serve = serve;
    this.#conversion = conversion;
  }

  /** Does `formOf` have to wait for `prepare`? */
  awaits(entry: StoredEntry | undefined): boolean {
    const conversion = this.#conversion;
    return conversion !== undefined && entry !== undefined && entry.forms[this.slot] === undefined && conversion.needs(entry);
  }

  /**
   * Converts what can't be converted in place, everything that is missing at once; undefined: nothing is. Each entry is converted once,
   * whoever asks. Throws what the conversion throws.
   */
  prepare(entries: readonly (StoredEntry | undefined)[]): Promise<void> | undefined {
    const conversion = this.#conversion;
    if (conversion === undefined) return undefined;
    const waiting = new Set<Promise<void>>();
    const missing: StoredEntry[] = [];
    for (const entry of new Set(entries)) {
      if (entry === undefined || !this.awaits(entry)) continue;
      const known = this.#underWay.get(entry);
      if (known === undefined) missing.push(entry);
      else waiting.add(known);
    }
    if (missing.length > 0) {
      const converted = conversion
        .convert(missing)
        .then((forms) => {
          for (const [i, entry] of missing.entries()) entry.forms[this.slot] = forms[i];
        })
        .finally(() => {
          for (const entry of missing) this.#underWay.delete(entry);
        });
      for (const entry of missing) this.#underWay.set(entry, converted);
      waiting.add(converted);
    }
    return waiting.size === 0 ? undefined : Promise.all(waiting).then(() => undefined);
  }

  /** Throws UndecodableError. */
  formOf(entry: StoredEntry): ServedForm {
    const known = entry.forms[this.slot];
    if (known !== undefined) return known;
    if (this.awaits(entry)) throw new UndecodableError(entry.key, 'it has to be converted first');
    let form: ServedForm;
    try {
      form = this.#serve(entry.value, entry);
    } catch (error) {
      throw new UndecodableError(entry.key, error);
    }
    entry.forms[this.slot] = form;
    return form;
  }
}
