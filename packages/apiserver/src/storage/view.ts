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

/**
 * One served version of a resource, in one generation of its schema: what the stored entries look like to its readers. Each entry is
 * converted once and remembered on the entry itself, so that index, window and snapshots serve all views.
 */
export class View {
  readonly definition: ResourceDefinition;
  /** Position in `StoredEntry.forms`: one for each view of a storage prefix, never used again. */
  readonly slot: number;
  readonly #serve: (value: Buffer, entry: StoredEntry) => ServedForm;

  constructor(definition: ResourceDefinition, slot: number, serve: (value: Buffer, entry: StoredEntry) => ServedForm) {
    this.definition = definition;
    this.slot = slot;
    this.#serve = serve;
  }

  /** Throws UndecodableError. */
  formOf(entry: StoredEntry): ServedForm {
    const known = entry.forms[this.slot];
    if (known !== undefined) return known;
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
