import type { Entry, Revision } from '@skiff/storage';

/**
 * One object at one revision, as it lies in the store. Immutable, and shared by reference between the index, the event window and
 * snapshots; what views make of it is remembered on it (`forms`).
 */
export interface StoredEntry {
  readonly key: string;
  readonly namespace: string;
  readonly name: string;
  readonly revision: Revision;
  /** The stored bytes, without resourceVersion. Never changed. */
  readonly value: Buffer;
  /** What the views made of it, by their slot; made on first use. */
  readonly forms: (ServedForm | undefined)[];
  /** The decoded object, kept where the server itself reads it. Frozen by convention. */
  decoded?: unknown;
}

/**
 * An object in one served version: canonical JSON without resourceVersion, and where its parts begin and end.
 *
 *     {"kind":"Pod","apiVersion":"v1","metadata":{"name":"a","uid":"u","creationTimestamp":"…"},"spec":…}
 *                                     │                               │                       │          │
 *                                     metadataStart            versionAt             metadataEnd   length
 */
export interface ServedForm {
  readonly bytes: Buffer;
  /** Offset of the member `"metadata"`: what stands before is the type meta. */
  readonly metadataStart: number;
  /** Where `,"resourceVersion":"N"` goes in. */
  readonly versionAt: number;
  /** Behind the closing brace of metadata. */
  readonly metadataEnd: number;
  readonly labels: Readonly<Record<string, string>>;
  /** The resource's selectable fields, `metadata.name` and `metadata.namespace` included. */
  readonly fields: Readonly<Record<string, string>>;
  /** The object as a protobuf message with this resourceVersion, once a client has asked for that. */
  message?: { readonly revision: Revision; readonly bytes: Buffer };
}

export function createStoredEntry(entry: Entry, namespace: string, name: string): StoredEntry {
  return { key: entry.key, namespace, name, revision: entry.revision, value: entry.value, forms: [], decoded: undefined };
}
