import { age, type CustomResourceColumnDefinition, nameColumn, nameOf, since } from '@skiff/api';
import type { DeepReadonly, Json, KubeObject, TableColumn, TableDefinition } from '@skiff/apimachinery';
import { type JsonPath, parseJsonPath } from './json-path.ts';

type Column = DeepReadonly<CustomResourceColumnDefinition>;

/** A value as text, as kubectl's JSONPath prints it. */
const textOf = (value: unknown): string => (typeof value === 'string' ? value : JSON.stringify(value));

function cell(type: string, value: unknown, nowMs: number): Json {
  switch (type) {
    case 'integer':
      return typeof value === 'number' ? Math.trunc(value) : null;
    case 'number':
      return typeof value === 'number' ? value : null;
    case 'boolean':
      return typeof value === 'boolean' ? value : null;
    case 'date':
      return typeof value === 'string' && !Number.isNaN(Date.parse(value)) ? since(value, nowMs) : '<invalid>';
    default:
      return textOf(value);
  }
}

/** The table of a custom kind: the name, then its columns; its age where it has none. Throws JsonPathError. */
export function customTable(columns: readonly Column[] | undefined): TableDefinition<KubeObject> {
  if (columns === undefined || columns.length === 0) {
    const ageColumn: TableColumn = { name: 'Age', type: 'date' };
    return { columns: [nameColumn, ageColumn], row: (object, nowMs) => [nameOf(object), age(object, nowMs)] };
  }
  const parsed = columns.map((c): { readonly type: string; readonly path: JsonPath } => ({
    type: c.type,
    path: parseJsonPath(c.jsonPath),
  }));
  return {
    columns: [
      nameColumn,
      ...columns.map(
        (c): TableColumn => ({
          name: c.name,
          type: c.type as TableColumn['type'],
          ...(c.format ? { format: c.format } : {}),
          description: c.description || `Custom resource definition column (in JSONPath format): ${c.jsonPath}`,
          ...(c.priority === undefined ? {} : { priority: c.priority }),
        }),
      ),
    ],
    row: (object: DeepReadonly<KubeObject>, nowMs: number) => [
      nameOf(object),
      ...parsed.map(({ type, path }) => {
        const [value] = path.find(object);
        return value === undefined ? null : cell(type, value, nowMs);
      }),
    ],
  };
}
