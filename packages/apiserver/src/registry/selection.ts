import {
  lookupTable,
  badRequest,
  type FieldLabelConversion,
  type FieldMatcher,
  type LabelMatcher,
  parseFieldSelector,
  parseLabelSelector,
  type ResourceDefinition,
  SelectorError,
} from '@skiff/apimachinery';
import type { ServedForm } from '../storage/stored-entry.ts';
import type { Selection } from '../storage/watch-hub.ts';

/** Field by which watches of a resource are indexed besides namespace and name: a kubelet's watch of its own pods. */
export const indexedFieldOf = (d: ResourceDefinition): string | undefined =>
  d.selectableFields?.['spec.nodeName'] === undefined ? undefined : 'spec.nodeName';

/** Old names of fields. */
const aliases = lookupTable<string>({ 'spec.host': 'spec.nodeName' });

/** Refuses fields that the resource does not select by, in the words that its upstream conversion has. */
export function fieldConversion(d: ResourceDefinition): FieldLabelConversion {
  const known = new Set(Object.keys(d.selectableFields ?? {}));
  return (field, value) => {
    if (field === 'metadata.name' || field === 'metadata.namespace' || known.has(field)) return { field: aliases[field] ?? field, value };
    throw new SelectorError(
      known.size === 0
        ? `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`
        : `field label not supported: ${field}`,
    );
  };
}

export interface SelectionRequest {
  readonly namespace: string;
  readonly labelSelector: string;
  readonly fieldSelector: string;
}

/** A Selection and whether selectors are part of it (remainingItemCount is only known without). */
export interface ParsedSelection extends Selection {
  readonly selective: boolean;
}

/** Throws BadRequest in upstream's words. */
export function parseSelection(d: ResourceDefinition, r: SelectionRequest): ParsedSelection {
  let labels: LabelMatcher;
  let fields: FieldMatcher;
  try {
    fields = parseFieldSelector(r.fieldSelector, fieldConversion(d));
    labels = parseLabelSelector(r.labelSelector);
  } catch (error) {
    if (error instanceof SelectorError) throw badRequest(error.message);
    throw error;
  }
  const exactNamespace = d.scope === 'Namespaced' ? fields.exactly('metadata.namespace') : undefined;
  const namespace = r.namespace !== '' ? r.namespace : (exactNamespace ?? '');
  const name = fields.exactly('metadata.name') ?? '';
  const indexed = indexedFieldOf(d);
  const indexedValue = indexed === undefined ? undefined : fields.exactly(indexed);
  return {
    id: `${namespace}/${name}?${fields.toString()}&${labels.toString()}`,
    namespace,
    name,
    indexedValue,
    matches: labels.empty && fields.empty ? undefined : matcherOf(labels, fields),
    selective: !(labels.empty && fields.empty),
  };
}

function matcherOf(labels: LabelMatcher, fields: FieldMatcher): (form: ServedForm) => boolean {
  if (fields.empty) return (form) => labels.matches(form.labels);
  return (form) => labels.matches(form.labels) && fields.matches((field) => form.fields[field] ?? '');
}
