import { Document, visit } from 'yaml';

/** Go's reader takes these for something else when they are not quoted: YAML 1.2's octal numbers, and blocks that begin with a tab. */
const isMisread = (text: string): boolean => /^[-+]?0[oO]/.test(text) || (/^[\n ]*\t/.test(text) && text.includes('\n'));

/** YAML as Go's encoder writes it: sorted keys, lists flush with their key, strings quoted where YAML 1.1 would read something else. */
export function yamlText(value: unknown): string {
  const document = new Document(value, { version: '1.1', sortMapEntries: true });
  visit(document, {
    Scalar: (_, node) => {
      if (typeof node.value === 'string' && isMisread(node.value)) node.type = 'QUOTE_DOUBLE';
    },
  });
  return document.toString({ indentSeq: false, lineWidth: 0 });
}
