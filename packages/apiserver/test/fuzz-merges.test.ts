import { builtinSchemas } from '@skiff/api';
import {
  applyStrategicMergePatch,
  createFieldManager,
  createTypedCodec,
  type FieldManager,
  isStatusError,
  type Json,
  type JsonObject,
  type KubeObject,
  type ManagedFieldsEntry,
  mergeTypeOf,
  parseJson,
} from '@skiff/apimachinery';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { stringifyExactly } from '../src/request/protobuf-body.ts';
import { anyKind, briefly, canonical, kindOf, kindsNamed, schemaOf, stable, typeMetaOf } from './fuzz-objects.ts';
import {
  appliedPaths,
  keepsOrder,
  leavesOf,
  mergeable,
  ownedPaths,
  type Place,
  rootOf,
  spokenPath,
  strategicDifference,
  strategicMerge,
  withSortedElements,
} from './merge-model.ts';
import { randomPair } from './random-pair.ts';

/** Two objects of a kind that have much in common, in canonical form. */
interface Pair {
  readonly k: number;
  readonly a: JsonObject;
  readonly b: JsonObject;
}
const serverOwned = ['namespace', 'generation', 'uid', 'selfLink', 'resourceVersion', 'creationTimestamp', 'managedFields'];
function prepared(k: number, object: JsonObject): JsonObject {
  const place = rootOf(schemaOf(kindOf(k)));
  const metadata = { ...(object['metadata'] as JsonObject | undefined), name: 'fuzz' } as JsonObject;
  for (const name of serverOwned) delete metadata[name];
  // What canonical form leaves out may leave elements without a key.
  return treeOf(k, mergeable(place, treeOf(k, { ...object, metadata })) as JsonObject);
}
const bytesOf = (k: number, tree: Json): string => canonical(kindOf(k), parseJson(stringifyExactly(tree)));
/** As a client would send it: canonical, without nulls. */
const treeOf = (k: number, tree: JsonObject): JsonObject =>
  mergeable(rootOf(schemaOf(kindOf(k))), parseJson(bytesOf(k, tree)).value) as JsonObject;
/** Those with most to merge come as often as all others together. */
const richKinds = kindsNamed(['Pod', 'Deployment', 'Service', 'Node']);
const pair: fc.Arbitrary<Pair> = fc.tuple(fc.oneof(fc.constantFrom(...richKinds), anyKind), fc.nat()).map(([k, seed]) => {
  const [a, b] = randomPair(schemaOf(kindOf(k)), seed).map((object) => prepared(k, { ...object, ...typeMetaOf(kindOf(k)) }));
  return { k, a: a!, b: b! };
});
const placeOf = (k: number): Place => rootOf(schemaOf(kindOf(k)));

describe('strategic merge patches of objects of all kinds', () => {
  const patched = (k: number, document: JsonObject, patch: JsonObject): JsonObject =>
    applyStrategicMergePatch(structuredClone(document), patch, { registry: builtinSchemas, schemaName: schemaOf(kindOf(k)) });

  it('that say what differs, as kubectl does, make the one of the other', () => {
    fc.assert(
      fc.property(pair, ({ k, a, b }) => {
        const patch = strategicDifference(placeOf(k), a, b);
        expect(bytesOf(k, patched(k, a, patch)), stable(patch)).toBe(bytesOf(k, b));
        expect(bytesOf(k, patched(k, b, strategicDifference(placeOf(k), b, b)))).toBe(bytesOf(k, b));
      }),
      briefly,
    );
  });
  it('that are whole objects merge them, and once more change nothing', () => {
    fc.assert(
      fc.property(pair, ({ k, a, b }) => {
        const merged = patched(k, a, b);
        const sorted = (tree: JsonObject): string => bytesOf(k, withSortedElements(placeOf(k), tree));
        expect(sorted(merged)).toBe(sorted(strategicMerge(placeOf(k), a, b) as JsonObject));
        expect(keepsOrder(placeOf(k), merged, a, b), stable(merged)).toBe(true);
        expect(bytesOf(k, patched(k, merged, b))).toBe(bytesOf(k, merged));
        expect(bytesOf(k, patched(k, a, {}))).toBe(bytesOf(k, a));
      }),
      briefly,
    );
  });
});

describe('server-side apply of objects of all kinds', () => {
  const now = '2026-01-01T00:00:00Z';
  const later = '2026-01-01T00:01:00Z';
  const managers = new Map<number, FieldManager>();
  function managerOf(k: number): FieldManager {
    let manager = managers.get(k);
    if (manager === undefined) {
      const type = mergeTypeOf(builtinSchemas, schemaOf(kindOf(k)));
      manager = createFieldManager({ ...typeMetaOf(kindOf(k)), type, subresource: '', resetFields: [] });
      managers.set(k, manager);
    }
    return manager;
  }
  const decode = (k: number, tree: JsonObject): KubeObject =>
    createTypedCodec<KubeObject>(builtinSchemas, schemaOf(kindOf(k))).decode({ value: structuredClone(tree) }).object;
  const withOwners = (object: KubeObject, managedFields: ManagedFieldsEntry[] | undefined): KubeObject => {
    if (managedFields !== undefined) object.metadata!.managedFields = managedFields;
    return object;
  };
  function apply(k: number, live: KubeObject | undefined, tree: JsonObject, o: { by: string; force?: boolean; now?: string }): KubeObject {
    const applied = managerOf(k).apply(live, structuredClone(tree), { manager: o.by, force: o.force ?? false, now: o.now ?? now });
    return withOwners(decode(k, applied.tree), applied.managedFields);
  }
  /** The object without its owners. */
  const contentOf = (object: KubeObject): JsonObject => {
    const { managedFields: _, ...metadata } = object.metadata ?? {};
    return { ...(object as unknown as JsonObject), metadata: metadata as JsonObject };
  };
  const shown = (k: number, object: KubeObject): JsonObject => parseJson(bytesOf(k, contentOf(object))).value as JsonObject;
  const contentBytes = (k: number, object: KubeObject): string => bytesOf(k, contentOf(object));
  const pathsOf = (object: KubeObject, by: string): string[] =>
    ownedPaths(object.metadata?.managedFields?.find((e) => e.manager === by)?.fieldsV1 as JsonObject | undefined);
  const identity = (k: number): JsonObject => ({ ...typeMetaOf(kindOf(k)), metadata: { name: 'fuzz' } });

  it('makes the object, owns what it says, and once more changes nothing', () => {
    fc.assert(
      fc.property(pair, ({ k, b }) => {
        const made = apply(k, undefined, b, { by: 'one' });
        expect(contentBytes(k, made)).toBe(bytesOf(k, b));
        expect(pathsOf(made, 'one')).toEqual(appliedPaths(placeOf(k), b));
        const again = apply(k, made, b, { by: 'one', now: later });
        expect(contentBytes(k, again)).toBe(bytesOf(k, b));
        const timeless = (object: KubeObject) => object.metadata?.managedFields?.map((entry) => ({ ...entry, time: undefined }));
        expect(timeless(again)).toEqual(timeless(made));
      }),
      briefly,
    );
  });
  it('of something else by the same manager leaves nothing of what was', () => {
    fc.assert(
      fc.property(pair, ({ k, a, b }) => {
        const made = apply(k, apply(k, undefined, a, { by: 'one' }), b, { by: 'one' });
        expect(contentBytes(k, made)).toBe(bytesOf(k, b));
        expect(pathsOf(made, 'one')).toEqual(appliedPaths(placeOf(k), b));
      }),
      briefly,
    );
  });

  /** Values that Go writes whether they were given or not say nothing about who was there. */
  const isZero = (value: Json): boolean =>
    typeof value === 'object' && value !== null ? Object.values(value).every((part) => isZero(part as Json)) : !value;
  const given = (leaves: ReadonlyMap<string, string>): string[] =>
    [...leaves]
      .filter(([, value]) => !isZero(JSON.parse(value) as Json))
      .map(([path, value]) => `${path} = ${value}`)
      .sort();
  it('by two managers: conflicts are what both say differently, shared fields stay until both are gone', () => {
    fc.assert(
      fc.property(pair, ({ k, a, b }) => {
        const place = placeOf(k);
        const [one, two] = [leavesOf(place, a), leavesOf(place, b)];
        const contested = [...two.keys()].filter((path) => one.has(path) && one.get(path) !== two.get(path));
        const first = apply(k, undefined, a, { by: 'one' });
        let refused: string[] = [];
        try {
          apply(k, first, b, { by: 'two' });
        } catch (e) {
          if (!isStatusError(e) || e.reason !== 'Conflict') throw e;
          refused = (e.details?.causes ?? []).map((cause) => cause.field ?? '').sort();
        }
        expect(refused).toEqual(contested.map(spokenPath).sort());

        const both = apply(k, first, b, { by: 'two', force: true });
        expect(given(leavesOf(place, shown(k, both)))).toEqual(given(new Map([...one, ...two])));
        const left = appliedPaths(place, a).filter((path) => !contested.includes(path));
        expect(pathsOf(both, 'one')).toEqual(left);
        expect(pathsOf(both, 'two')).toEqual(appliedPaths(place, b));

        const alone = apply(k, both, identity(k), { by: 'two' });
        const kept = new Map([...one].filter(([path]) => !contested.includes(path)));
        expect(given(leavesOf(place, shown(k, alone)))).toEqual(given(kept));
        expect(pathsOf(alone, 'one')).toEqual(left);
        expect(pathsOf(alone, 'two')).toEqual([]);
      }),
      briefly,
    );
  });
  it('loses to updates what these change', () => {
    fc.assert(
      fc.property(pair, ({ k, a, b }) => {
        const place = placeOf(k);
        const [one, two] = [leavesOf(place, a), leavesOf(place, b)];
        const live = apply(k, undefined, a, { by: 'one' });
        // An object without any owner has no owners kept.
        fc.pre(live.metadata?.managedFields !== undefined);
        const next = decode(k, b);
        const updated = withOwners(next, managerOf(k).update(live, next, { manager: 'two', now: later }));
        const changed = pathsOf(updated, 'two').filter((path) => two.has(path));
        expect(pathsOf(updated, 'one').filter((path) => one.has(path))).toEqual(
          [...one.keys()].filter((path) => one.get(path) === two.get(path)).sort(),
        );
        expect(changed).toEqual([...two.keys()].filter((path) => one.get(path) !== two.get(path)).sort());
      }),
      briefly,
    );
  });
});
