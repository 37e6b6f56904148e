/**
 * Text as it may go to a terminal: names and messages come from the API, and so from whoever wrote the objects, or from a server that is not
 * known yet; a control character among them could hide or forge what the user reads (CVE-2021-25743). Lines and tabs stay.
 */
export const printable = (text: string): string =>
  text
    .replaceAll('\r\n', '\n')
    .replace(/\p{Cc}/gu, (c) => (c === '\n' || c === '\t' ? c : `\\x${(c.codePointAt(0) ?? 0).toString(16).padStart(2, '0')}`));
