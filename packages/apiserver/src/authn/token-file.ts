import { readFileSync } from 'node:fs';
import { createHash } from 'node:crypto';
import type { UserInfo } from '../contract.ts';
import type { TokenAuthenticator } from './authenticator.ts';

/** Fields of a line of CSV; quotes hold commas, and quotes when doubled. */
function splitCsv(line: string): readonly string[] {
  const out: string[] = [];
  for (const match of line.matchAll(/(?:^|,)\s*(?:"((?:[^"]|"")*)"\s*|([^,]*))(?=,|$)/g)) {
    out.push(match[1] === undefined ? (match[2] ?? '').trim() : match[1].replaceAll('""', '"'));
  }
  return out;
}

const digest = (token: string): string => createHash('sha256').update(token).digest('base64');

/** Lines `token,user,uid,"group1,group2"`. Throws for a line without token, user and uid. Tokens are compared by their digests. */
export function parseTokenFile(text: string, file: string): TokenAuthenticator {
  const users = new Map<string, UserInfo>();
  for (const [i, line] of text.split(/\r?\n/).entries()) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [token = '', name = '', uid, groups = ''] = splitCsv(line);
    if (uid === undefined)
      throw new Error(`--token-auth-file: ${file}:${i + 1}: a line must have at least 3 columns (token, user name, user uid)`);
    if (token === '') continue;
    users.set(digest(token), {
      name,
      ...(uid === '' ? {} : { uid }),
      groups: groups
        .split(',')
        .map((g) => g.trim())
        .filter((g) => g !== ''),
    });
  }
  return {
    name: 'token-file',
    authenticateToken: (token) => {
      const user = users.get(digest(token));
      return Promise.resolve(user === undefined ? undefined : { user, audiences: [] });
    },
  };
}

/** Throws when the file can't be read or is malformed. */
export const readTokenFile = (file: string): TokenAuthenticator => parseTokenFile(readFileSync(file, 'utf8'), file);
