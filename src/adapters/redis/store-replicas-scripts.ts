/**
 * What runs in Redis for replicas, each script at once and whole. A replica `NAME` is the hash `NAME` (key → JSON list),
 * the hash `NAME.META`, and its name in the list `replica_registry`. Beside them lie `millrace:content:NAME` (which content
 * the hash holds, and of how many rows) and `millrace:order:NAME` (its keys in order). Content that is being written, or
 * that was replaced and is still read, lies under `millrace:new:ID:…` and `millrace:old:ID:…` and expires by itself.
 */

export const registry = "replica_registry";

/** KEYS of every script about one replica. */
export function keysOf(name: string): readonly string[] {
  return [registry, name, `${name}.META`, `millrace:content:${name}`, `millrace:order:${name}`];
}

const listed = `
local function listed(name)
  return redis.call('LPOS', KEYS[1], name)
end`;

/** Raises where a key is not a replica's, so that nobody else's is written over. */
const guarding = `${listed}
local function guard(name)
  if listed(name) then return end
  if redis.call('EXISTS', KEYS[2], KEYS[3]) > 0 then
    error({err = 'FOREIGN the keys of ' .. name .. ' are there, and not in ' .. KEYS[1]})
  end
end`;

/** Takes the rows away: for who still reads them, to another place for a while. ARGV of the caller: how long, in ms. */
const retiring = `
local function retire(ms)
  local id = redis.call('HGET', KEYS[4], 'id')
  if id and redis.call('EXISTS', 'millrace:readers:' .. id) == 1 then
    for from, to in pairs({[KEYS[2]] = ':rows', [KEYS[5]] = ':order'}) do
      if redis.call('EXISTS', from) == 1 then
        redis.call('RENAME', from, 'millrace:old:' .. id .. to)
        redis.call('PEXPIRE', 'millrace:old:' .. id .. to, ms)
      end
    end
  end
  redis.call('UNLINK', KEYS[2], KEYS[4], KEYS[5])
end`;

export const scripts = {
  /** ARGV: name, then fields of the description and their values. */
  register: `${guarding}
guard(ARGV[1])
local fields = {}
for at = 2, #ARGV do fields[#fields + 1] = ARGV[at] end
redis.call('HSET', KEYS[3], unpack(fields))
redis.call('LREM', KEYS[1], 0, ARGV[1])
redis.call('LPUSH', KEYS[1], ARGV[1])`,

  /**
   * ARGV: name, id, rows, how long readers have, fields of the description and their values. Commands that take memory
   * stand first: a server that is full refuses them before anything is changed. Answers 'gone' when not all rows are there.
   */
  swap: `${guarding}${retiring}
guard(ARGV[1])
local new = 'millrace:new:' .. ARGV[2]
if redis.call('HLEN', new .. ':rows') ~= tonumber(ARGV[3]) then return 'gone' end
if redis.call('LLEN', new .. ':order') ~= tonumber(ARGV[3]) then return 'gone' end
local fields = {}
for at = 5, #ARGV do fields[#fields + 1] = ARGV[at] end
redis.call('HSET', new .. ':meta', unpack(fields))
redis.call('HSET', new .. ':content', 'id', ARGV[2], 'rows', ARGV[3])
if not listed(ARGV[1]) then redis.call('LPUSH', KEYS[1], ARGV[1]) end
retire(ARGV[4])
redis.call('RENAME', new .. ':meta', KEYS[3])
redis.call('RENAME', new .. ':content', KEYS[4])
if ARGV[3] ~= '0' then
  redis.call('RENAME', new .. ':rows', KEYS[2])
  redis.call('PERSIST', KEYS[2])
  redis.call('RENAME', new .. ':order', KEYS[5])
  redis.call('PERSIST', KEYS[5])
end
return 'done'`,

  /** ARGV: name, how long readers have. Answers whether there was such a replica. */
  clear: `${listed}${retiring}
if not listed(ARGV[1]) then return 0 end
retire(ARGV[2])
return 1`,

  /** ARGV: name, then keys and values in turn. Answers how many rows had these values, and are removed. */
  clearEntries: `${listed}
if not listed(ARGV[1]) then return 0 end
local cleared = 0
for at = 2, #ARGV, 2 do
  if redis.call('HGET', KEYS[2], ARGV[at]) == ARGV[at + 1] then
    redis.call('HDEL', KEYS[2], ARGV[at])
    cleared = cleared + 1
  end
end
local left = redis.call('HLEN', KEYS[2])
if left == 0 then redis.call('UNLINK', KEYS[5]) end
if cleared > 0 and redis.call('EXISTS', KEYS[4]) == 1 then redis.call('HSET', KEYS[4], 'rows', left) end
return cleared`,

  /** The same, with the name and the description. */
  remove: `${listed}${retiring}
if not listed(ARGV[1]) then return 0 end
retire(ARGV[2])
redis.call('UNLINK', KEYS[3])
redis.call('LREM', KEYS[1], 0, ARGV[1])
return 1`,

  /** ARGV: name. Answers nothing, or id, rows, and the description's fields and values. */
  look: `${listed}
if not listed(ARGV[1]) then return {} end
local content = redis.call('HMGET', KEYS[4], 'id', 'rows')
return {content[1] or '', content[2] or '0', redis.call('HGETALL', KEYS[3])}`,

  /**
   * Begins to read. ARGV: name, how long, in ms. Answers nothing, or the content's id, which is empty where others wrote the
   * rows, and how many rows there are and how many places in the order. A server that is full remembers no readers, but it
   * takes no new content either.
   */
  begin: `${listed}
if not listed(ARGV[1]) then return {} end
local id = redis.call('HGET', KEYS[4], 'id') or ''
if id ~= '' then redis.pcall('SET', 'millrace:readers:' .. id, 1, 'PX', ARGV[2]) end
return {id, redis.call('HLEN', KEYS[2]), redis.call('LLEN', KEYS[5])}`,

  /** ARGV: id, first and last place in the order. Answers keys and values in turn; -1 when the content is no more. */
  read: `
local rows, order = KEYS[2], KEYS[5]
if redis.call('HGET', KEYS[4], 'id') ~= ARGV[1] then
  rows, order = 'millrace:old:' .. ARGV[1] .. ':rows', 'millrace:old:' .. ARGV[1] .. ':order'
  if redis.call('EXISTS', order) == 0 then return -1 end
end
local keys = redis.call('LRANGE', order, ARGV[2], ARGV[3])
if #keys == 0 then return {} end
local values = redis.call('HMGET', rows, unpack(keys))
local answer = {}
for at, key in ipairs(keys) do
  answer[#answer + 1] = key
  answer[#answer + 1] = values[at]
end
return answer`,
} as const;
