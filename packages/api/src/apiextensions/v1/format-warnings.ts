import { type DeepReadonly, stringFormatOf, type StructuralSchema } from '@skiff/apimachinery';
import type { CustomResourceDefinition } from '../../generated/types/apiextensions-v1.ts';

const numberFormats: Readonly<Record<string, readonly string[]>> = { integer: ['int32', 'int64'], number: ['float', 'double'] };

function isKnown(s: StructuralSchema): boolean {
  const { type = '', format = '' } = s;
  if (type === '' || type === 'string') return stringFormatOf(s) !== undefined;
  return numberFormats[type]?.includes(format) ?? false;
}

type CRD = DeepReadonly<CustomResourceDefinition>;

/** Formats that nothing is checked against, told when a definition begins to name them. */
export function formatWarnings(crd: CRD, old?: CRD): readonly string[] {
  const before = old === undefined ? new Set<string>() : unknownFormats(old);
  const found = [...unknownFormats(crd)].filter((format) => !before.has(format));
  return found.sort().map((format) => `unrecognized format ${JSON.stringify(format)}`);
}

function unknownFormats(crd: CRD): ReadonlySet<string> {
  const found = new Set<string>();
  const walk = (s: StructuralSchema, depth: number): void => {
    if (depth > 64) return;
    if (s.format !== undefined && s.format !== '' && !isKnown(s)) found.add(s.format);
    for (const below of Object.values(s.properties ?? {})) walk(below, depth + 1);
    for (const below of [s.items, s.additionalProperties, s.not, ...(s.allOf ?? []), ...(s.anyOf ?? []), ...(s.oneOf ?? [])])
      if (typeof below === 'object' && !Array.isArray(below)) walk(below, depth + 1);
  };
  for (const { schema } of crd.spec.versions) if (schema?.openAPIV3Schema) walk(schema.openAPIV3Schema as StructuralSchema, 0);
  return found;
}
