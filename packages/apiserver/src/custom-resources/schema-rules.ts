import type { FieldErrorReason, KubeObject, ResourceStrategy } from '@skiff/apimachinery';
import type { SchemaRules } from '@skiff/cel';

const blocking: ReadonlySet<FieldErrorReason> = new Set<FieldErrorReason>([
  'FieldValueNotSupported',
  'FieldValueRequired',
  'FieldValueTooLong',
  'FieldValueTooMany',
  'FieldValueTypeInvalid',
]);

/** The rules of the schema: not where the object is so wrong that they make no sense. */
export function rulesOf(rules: SchemaRules | undefined): Pick<ResourceStrategy<KubeObject>, 'validateInSteps'> {
  if (rules === undefined) return {};
  return {
    *validateInSteps(object, old, errors, context) {
      if (errors.list.some((e) => blocking.has(e.reason))) {
        const detail =
          'some validation rules were not checked because the object was invalid; correct the existing errors to complete validation';
        errors.invalid('<nil>', null, detail);
      } else {
        const json = { object: object as never, old: old as never };
        yield* rules.validate({ ...json, errors, warn: (text) => context.warn?.(text) });
      }
    },
  };
}
