/** Where in an expression something is wrong, in the words and pictures of CEL's own messages. */

/** A message and the offset (in code points) that it is about. */
export interface Issue {
  readonly at: number;
  readonly message: string;
}

const maxIssues = 100;
const maxSnippetLength = 16_384;

/** Issues of one expression, as text: sorted by place, each with its line and a mark below the column. */
export function formatIssues(text: string, issues: readonly Issue[]): string {
  const lines = text.split('\n').map((l) => Array.from(l));
  const starts: number[] = [];
  let offset = 0;
  for (const line of lines) {
    starts.push(offset);
    offset += line.length + 1;
  }
  const located = issues.slice(0, maxIssues).map((issue) => {
    if (issue.at < 0) return { line: -1, column: -1, message: issue.message };
    let line = starts.length - 1;
    while (line > 0 && starts[line]! > issue.at) line--;
    return { line, column: issue.at - starts[line]!, message: issue.message };
  });
  located.sort((a, b) => a.line - b.line || a.column - b.column);
  const shown = located.map(({ line, column, message }) => {
    const head = `ERROR: <input>:${line + (line < 0 ? 0 : 1)}:${column + 1}: ${message}`;
    const snippet = lines[line];
    if (snippet === undefined || snippet.length > maxSnippetLength) return head;
    const wide = (c: string | undefined) => c !== undefined && c.codePointAt(0)! > 0x7f;
    const dots = snippet.slice(0, column).map((c) => (wide(c) ? '\uff0e' : '.'));
    return `${head}\n | ${snippet.join('').replaceAll('\t', ' ')}\n | ${dots.join('')}${wide(snippet[column]) ? '\uff3e' : '^'}`;
  });
  if (issues.length > maxIssues) shown.push(`${issues.length - maxIssues} more errors were truncated`);
  return shown.join('\n');
}
