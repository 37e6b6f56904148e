import { stringify } from 'yaml';

/** YAML as Go's encoder writes it: sorted keys, lists flush with their key, strings quoted where YAML 1.1 would read something else. */
export const yamlText = (value: unknown): string =>
  stringify(value, { version: '1.1', sortMapEntries: true, indentSeq: false, lineWidth: 0 });
