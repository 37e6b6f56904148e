import { builtinResources, builtinSchemas } from '@skiff/api';
import { createTypedCodec, type Json, type JsonObject, type parseJson, type ResourceDefinition } from '@skiff/apimachinery';
import fc from 'fast-check';
import { arbitraryObject } from './arbitrary-object.ts';

/** A new one each time; what it finds is found again with `FUZZ_SEED`, and `FUZZ_SECONDS` looks for longer. */
const seed = Number(process.env['FUZZ_SEED'] ?? Date.now() % 2 ** 31);
export const seconds = Number(process.env['FUZZ_SECONDS'] ?? 4);
export const bounds = {
  seed,
  numRuns: 1_000_000,
  interruptAfterTimeLimit: seconds * 1000,
  markInterruptAsFailure: false,
  endOnFailure: true,
} as const;
/** For properties of which there are many. */
export const briefly = { ...bounds, interruptAfterTimeLimit: seconds * 200 } as const;
console.log(`figure: fuzz seed ${seed}`);

export const typeMetaOf = (d: ResourceDefinition): { apiVersion: string; kind: string } => ({
  apiVersion: d.group === '' ? d.version : `${d.group}/${d.version}`,
  kind: d.kind,
});
export const schemaOf = (d: ResourceDefinition): string => d.schemaName ?? '';
const kinds = builtinResources.filter((d) => builtinSchemas.struct(schemaOf(d)) !== undefined);
/** Kinds print as long as they are: counterexamples name them. */
export const anyKind = fc.constantFrom(...kinds.keys());
export const kindOf = (k: number): ResourceDefinition => kinds[k] as ResourceDefinition;
export const kindsNamed = (names: readonly string[]): number[] => [...kinds.keys()].filter((k) => names.includes(kindOf(k).kind));
export const objectOf = (k: number): fc.Arbitrary<JsonObject> => arbitraryObject(schemaOf(kindOf(k)), typeMetaOf(kindOf(k)));
export const anyObject = anyKind.chain((k) => objectOf(k).map((object) => ({ k, object })));

/** The canonical bytes of what a parsed body is. */
export function canonical(d: ResourceDefinition, parsed: ReturnType<typeof parseJson>): string {
  const codec = createTypedCodec<JsonObject>(builtinSchemas, schemaOf(d));
  return codec.encode(codec.decode(parsed).object).bytes.toString();
}

/** JSON with sorted keys: equal values have equal texts. */
export function stable(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(stable).join(',')}]`;
  if (typeof value === 'object' && value !== null)
    return `{${Object.keys(value)
      .sort((x, y) => (x < y ? -1 : 1))
      .map((k) => `${JSON.stringify(k)}:${stable(value[k] as Json)}`)
      .join(',')}}`;
  return typeof value === 'bigint' ? value.toString() : JSON.stringify(value);
}
