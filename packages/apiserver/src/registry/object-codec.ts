import type { JsonObject } from '@skiff/apimachinery';
import type { ServedForm } from '../storage/stored-entry.ts';
import type { FieldValidation } from './request-options.ts';

/** A decoded, defaulted object in the served version. */
export interface DecodedBody {
  readonly object: JsonObject;
  /** Unknown and duplicate fields; empty when validation is `Ignore`. */
  readonly strictErrors: readonly string[];
}

/** An object ready to be stored, and what its own version's view shows of it: both from one encoding. */
export interface EncodedObject {
  readonly value: Buffer;
  readonly form: ServedForm;
}

/** Everything that depends on the structure of one resource in one served version. Pure. */
export interface ObjectCodec {
  /** Request body → object with defaults. Throws BadRequest in the decoder's words. */
  decodeBody(body: Buffer, contentType: string, validation: FieldValidation): DecodedBody;
  /** A patched JSON tree → object with defaults; used by every kind of patch. Throws BadRequest. */
  decodeTree(tree: JsonObject, validation: FieldValidation): DecodedBody;
  /** Applies defaults again, after admission changed the object. */
  applyDefaults(object: JsonObject): void;
  /** Stored bytes → fresh object in this version, with defaults, without resourceVersion. Throws on anything undecodable. */
  decodeStored(value: Buffer): JsonObject;
  /** Canonical bytes in the storage version, without resourceVersion. */
  encode(object: JsonObject): EncodedObject;
  /** What a view shows of stored bytes. Throws on anything undecodable. */
  serve(value: Buffer): ServedForm;
  /** The canonical JSON of an object in this version, as it is: for answers of dry runs and for bookmarks. */
  encodeServed(object: JsonObject): Buffer;
}
