import { createHash } from 'node:crypto';

/**
 * What the Redis store keeps, all under one hash tag so that it sits on one node of a Redis cluster:
 *
 *   rev       last revision            kv    hash: key → "<revision>:<value>"
 *   compacted compacted revision       keys  sorted set of the keys, all with score 0: byte order
 *   epoch     run id of the server     ttl   sorted set: key → expiry in milliseconds
 *   log       stream, id "<revision>-0": o(peration) p|d, k(ey), v(alue), r and w: revision and value of what was there before
 *
 * Every access is one of these scripts, called by its hash. Redis forgets scripts, but not data, when it restarts: NOSCRIPT is the sign
 * that it may have come back with older data, and nothing is read or written before `establish` has dealt with that.
 */
export const redisKeys = (namespace: string): string[] =>
  ['rev', 'kv', 'keys', 'log', 'ttl', 'compacted', 'epoch'].map((name) => `{${namespace}}:${name}`);

const prelude = `
local revKey, kv, keys, log, ttl, compactedKey, epochKey = KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5], KEYS[6], KEYS[7]
local function micros() local t = redis.call('TIME') return t[1] * 1000000 + t[2] end
local function text(n) return string.format('%.0f', n) end
`;

const body = `${prelude}
local rev = redis.call('GET', revKey)
if not rev then return redis.error_reply('LOST no data of this store') end
local compacted = redis.call('GET', compactedKey)
local function unpackEntry(packed)
  if not packed then return false, false end
  local colon = string.find(packed, ':', 1, true)
  return string.sub(packed, 1, colon - 1), string.sub(packed, colon + 1)
end
-- The clock keeps revisions growing over a loss of data; within a run they grow by themselves.
local function record(operation, key, value, previousRevision, previousValue)
  rev = text(math.max(tonumber(rev) + 1, micros()))
  redis.call('SET', revKey, rev)
  if previousRevision then
    redis.call('XADD', log, rev .. '-0', 'o', operation, 'k', key, 'v', value, 'r', previousRevision, 'w', previousValue)
  else
    redis.call('XADD', log, rev .. '-0', 'o', operation, 'k', key, 'v', value)
  end
end
local function remove(key, previousRevision, previousValue)
  redis.call('HDEL', kv, key)
  redis.call('ZREM', keys, key)
  redis.call('ZREM', ttl, key)
  record('d', key, '', previousRevision, previousValue)
end
`;

const establish = `${prelude}
local rev = redis.call('GET', revKey)
if rev and redis.call('GET', epochKey) == ARGV[1] then return rev end
rev = text(math.max(tonumber(rev or '0') + 1, micros()))
redis.call('SET', revKey, rev)
redis.call('SET', compactedKey, rev)
redis.call('SET', epochKey, ARGV[1])
redis.call('DEL', log)
return rev
`;

const get = `${body}
local revision, value = unpackEntry(redis.call('HGET', kv, ARGV[1]))
return {rev, compacted, revision, value}
`;

const list = `${body}
local from, to, limit = ARGV[1], ARGV[2], tonumber(ARGV[3])
local found = redis.call('ZRANGEBYLEX', keys, from, to, 'LIMIT', 0, limit)
local entries = {}
for i, key in ipairs(found) do
  local revision, value = unpackEntry(redis.call('HGET', kv, key))
  entries[i] = {key, revision, value}
end
return {rev, compacted, redis.call('ZLEXCOUNT', keys, from, to), entries}
`;

/** ARGV: key, expected revision, value, time to live in ms or ''. */
const put = `${body}
local key, expected, value, ttlMs = ARGV[1], ARGV[2], ARGV[3], ARGV[4]
local revision, previous = unpackEntry(redis.call('HGET', kv, key))
if (revision or '0') ~= expected then return {'lost', rev, revision, previous} end
record('p', key, value, revision, previous)
redis.call('HSET', kv, key, rev .. ':' .. value)
if not revision then redis.call('ZADD', keys, 0, key) end
if ttlMs ~= '' then redis.call('ZADD', ttl, math.floor(micros() / 1000) + ttlMs, key) else redis.call('ZREM', ttl, key) end
return {'committed', rev}
`;

const del = `${body}
local key, expected = ARGV[1], ARGV[2]
local revision, previous = unpackEntry(redis.call('HGET', kv, key))
if not revision or revision ~= expected then return {'lost', rev, revision, previous} end
remove(key, revision, previous)
return {'committed', rev, revision, previous}
`;

/** Up to ARGV[2] log records above ARGV[1]. */
const read = `${body}
local records = {}
if tonumber(ARGV[1]) >= tonumber(compacted) and ARGV[1] ~= rev then records = redis.call('XRANGE', log, '(' .. ARGV[1] .. '-0', '+', 'COUNT', ARGV[2]) end
return {rev, compacted, records}
`;

const compact = `${body}
local upTo = tonumber(ARGV[1])
if upTo > tonumber(rev) then return {rev, compacted} end
if upTo > tonumber(compacted) then
  compacted = text(upTo)
  redis.call('SET', compactedKey, compacted)
  redis.call('XTRIM', log, 'MINID', text(upTo + 1) .. '-0')
end
return {rev, compacted}
`;

/** Deletes up to ARGV[1] expired keys; answers with the milliseconds to the next expiry, or -1. */
const sweep = `${body}
local now = math.floor(micros() / 1000)
for _, key in ipairs(redis.call('ZRANGEBYSCORE', ttl, '-inf', text(now), 'LIMIT', 0, ARGV[1])) do
  local revision, value = unpackEntry(redis.call('HGET', kv, key))
  if revision then remove(key, revision, value) else redis.call('ZREM', ttl, key) end
end
local next = redis.call('ZRANGE', ttl, 0, 0, 'WITHSCORES')
if not next[2] then return -1 end
return math.max(0, tonumber(next[2]) - now)
`;

export type RedisScript = 'get' | 'list' | 'put' | 'del' | 'read' | 'compact' | 'sweep';
const hashed = (source: string): { readonly source: string; readonly sha: string } => ({
  source,
  sha: createHash('sha1').update(source).digest('hex'),
});
export const establishScript = establish;
export const redisScripts = {
  get: hashed(get),
  list: hashed(list),
  put: hashed(put),
  del: hashed(del),
  read: hashed(read),
  compact: hashed(compact),
  sweep: hashed(sweep),
} as const satisfies Record<RedisScript, unknown>;
