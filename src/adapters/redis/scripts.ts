/**
 * What runs in Redis, each script at once and whole. A lane carries its incarnation in itself, as the name of a consumer
 * group without consumers, `millrace@<incarnation>`: it goes when the stream is removed, however that happens, and is not
 * in one that was made anew. Its last id is not below that of any entry that had been trimmed when it was written, its
 * count of read entries how many had been removed then. Groups `millrace:<group>` hold what a group has settled.
 */

/** The group that marks a lane, as `XINFO GROUPS` gives it; nil when the stream is not there or carries none. */
const marking = `
local function marker(key)
  local groups = redis.pcall('XINFO', 'GROUPS', key)
  if groups.err then
    if string.find(groups.err, 'no such key', 1, true) then return nil end
    redis.call('XINFO', 'GROUPS', key)
  end
  for _, group in ipairs(groups) do
    local read = {}
    for at = 1, #group, 2 do read[group[at]] = group[at + 1] end
    if string.sub(read.name, 1, 9) == 'millrace@' then return read end
  end
end
local function mark(key, incarnation)
  local found = marker(key)
  if found then return string.sub(found.name, 10) end
  redis.call('XGROUP', 'CREATE', key, 'millrace@' .. incarnation, '0', 'MKSTREAM')
  return incarnation
end`;

/** What `XINFO STREAM` says of a stream that is there. */
const looking = `
local function look(key)
  local info = redis.call('XINFO', 'STREAM', key)
  local read = {}
  for at = 1, #info, 2 do read[info[at]] = info[at + 1] end
  return read
end`;

/** Removes the entries below an id, and writes into the mark which was the last of them. */
const trimming = `
local function trim(key, incarnation, below)
  local last = redis.call('XREVRANGE', key, '(' .. below, '-', 'COUNT', 1)
  if #last == 0 then return end
  redis.call('XTRIM', key, 'MINID', '=', below)
  local info = look(key)
  local removed = info['entries-added'] - info['length']
  redis.call('XGROUP', 'SETID', key, 'millrace@' .. incarnation, last[1][1], 'ENTRIESREAD', removed)
end`;

export const scripts = {
  /**
   * How many lanes a log has, 0 when it is the one stream of its name. Makes that number known when nobody has.
   * KEYS: name, number of lanes. ARGV: the number to begin with; 0 only looks, and answers -1 when it is not known.
   */
  count: `
if redis.call('TYPE', KEYS[1]).ok == 'stream' then return 0 end
local known = redis.call('GET', KEYS[2])
if known then return tonumber(known) end
if ARGV[1] == '0' then return -1 end
redis.call('SET', KEYS[2], ARGV[1])
return tonumber(ARGV[1])`,

  /** Makes lanes that are missing. KEYS: lanes. ARGV: an incarnation. */
  make: `${marking}
for _, key in ipairs(KEYS) do mark(key, ARGV[1]) end`,

  /**
   * KEYS: lanes. Answers each as incarnation (empty: not there), oldest id, last id that was given, how many entries there
   * are, and were ever.
   * Notes how many entries others have removed: all of them were below the oldest one.
   */
  lanes: `${marking}${looking}
local function note(key, found, info, first)
  local removed = info['entries-added'] - info['length']
  if removed == found['entries-read'] then return end
  local bound = info['last-generated-id']
  if first ~= '' then
    local ms, seq = string.match(first, '^(%d+)-(%d+)$')
    bound = seq == '0' and string.format('%.0f-2097151', math.max(ms - 1, 0)) or string.format('%s-%.0f', ms, seq - 1)
  end
  redis.pcall('XGROUP', 'SETID', key, found.name, bound, 'ENTRIESREAD', removed)
end
local lanes = {}
for index, key in ipairs(KEYS) do
  local found = marker(key)
  if not found then
    lanes[index] = {'', '', '', 0, 0}
  else
    local info = look(key)
    local first = info['first-entry'] and info['first-entry'][1] or ''
    note(key, found, info, first)
    lanes[index] = {string.sub(found.name, 10), first, info['last-generated-id'], info['length'], info['entries-added']}
  end
end
return lanes`,

  /**
   * Appends records. KEYS: number of lanes, lives, those lanes that get records. ARGV: how many lanes they were shared
   * among (0: the log is one stream that others write to, whose ids are the time), an incarnation for lanes that are
   * missing, the life of the server, most bytes of a lane (0: any number), bytes for each lane, then for each record the
   * number of its lane, from 1, its shape, and its values. Answers nothing, or that the log was not there, of which only
   * these lanes are now; or, before anything is appended, how many lanes there are, or the number of the lane that is full
   * and its bytes, or of one that has no next id.
   */
  append: `${marking}${looking}
local lanes = #KEYS - 2
local expected, known = tonumber(ARGV[1]), true
if expected > 0 then
  known = redis.call('GET', KEYS[1])
  if not known then redis.call('SET', KEYS[1], expected) elseif tonumber(known) ~= expected then return {'lanes', known} end
end
local bytesMax = tonumber(ARGV[4])
local ms, seq = {}, {}
for index = 1, lanes do
  local key = KEYS[index + 2]
  mark(key, ARGV[2])
  if bytesMax > 0 then
    local used = redis.call('MEMORY', 'USAGE', key)
    if used + ARGV[4 + index] > bytesMax then return {'full', index, used} end
  end
  if expected > 0 then
    local last = look(key)['last-generated-id']
    local lastMs, lastSeq = string.match(last, '^(%d+)-(%d+)$')
    ms[index], seq[index] = tonumber(lastMs), tonumber(lastSeq)
    if redis.call('HGET', KEYS[2], key) ~= ARGV[3] then
      if last ~= '0-0' then ms[index] = ms[index] + 32768 end
      redis.call('HSET', KEYS[2], key, ARGV[3])
    end
    if ms[index] >= 4398046511103 then return {'beyond', index, last} end
  end
end
local at = 5 + lanes
while at <= #ARGV do
  local lane, shape, id = tonumber(ARGV[at]), ARGV[at + 1], '*'
  local key = KEYS[lane + 2]
  if expected > 0 then
    if seq[lane] >= 2097151 then ms[lane], seq[lane] = ms[lane] + 1, 0 else seq[lane] = seq[lane] + 1 end
    id = string.format('%.0f-%.0f', ms[lane], seq[lane])
  end
  if shape == '3' then
    redis.call('XADD', key, id, '_time', ARGV[at + 2], '_key', ARGV[at + 3], '_id', ARGV[at + 4], '_value', ARGV[at + 5])
    at = at + 6
  elseif shape == '1' then
    redis.call('XADD', key, id, '_time', ARGV[at + 2], '_key', ARGV[at + 3], '_value', ARGV[at + 4])
    at = at + 5
  elseif shape == '2' then
    redis.call('XADD', key, id, '_time', ARGV[at + 2], '_id', ARGV[at + 3], '_value', ARGV[at + 4])
    at = at + 5
  else
    redis.call('XADD', key, id, '_time', ARGV[at + 2], '_value', ARGV[at + 3])
    at = at + 4
  end
end
return {known and '' or 'anew'}`,

  /**
   * Removes entries that have come longer ago than an age. Where ids are no times, notes by the clock of the server which
   * id is the next, once in a while, under the lane's key with `:ages`. KEYS: lanes. ARGV: age in ms, whether ids are times
   * (0 or 1).
   */
  age: `${marking}${looking}${trimming}
local clock = redis.call('TIME')
local now = clock[1] * 1000 + math.floor(clock[2] / 1000)
local before = now - ARGV[1]
for _, key in ipairs(KEYS) do
  local found = marker(key)
  if found and ARGV[2] == '1' then
    trim(key, string.sub(found.name, 10), string.format('%.0f-0', before))
  elseif found then
    local incarnation, ages = string.sub(found.name, 10), key .. ':ages'
    local old = redis.call('ZREVRANGEBYSCORE', ages, before, '-inf', 'LIMIT', 0, 1)
    if old[1] then
      local of, id = string.match(old[1], '^(%S+) (%S+)$')
      if of == incarnation then trim(key, incarnation, id) end
      redis.call('ZREMRANGEBYSCORE', ages, '-inf', before)
    end
    local ms, seq = string.match(look(key)['last-generated-id'], '^(%d+)-(%d+)$')
    redis.call('ZADD', ages, now, string.format('%s %s-%.0f', incarnation, ms, seq + 1))
  end
end`,

  /**
   * Entries of a lane from an id on. KEYS: lane. ARGV: incarnation, the id, bytes and entries that are enough. Answers
   * nothing when the lane is another one. Otherwise the oldest id, the last id that was given, how many entries were
   * ever added and how many removed, the last id that was trimmed from here and how many had been removed then; and the entries.
   */
  read: `${marking}${looking}
local found = marker(KEYS[1])
if not found or found.name ~= 'millrace@' .. ARGV[1] then return {} end
local info = look(KEYS[1])
local first = info['first-entry'] and info['first-entry'][1] or ''
local facts = {
  first, info['last-generated-id'], info['entries-added'], info['entries-added'] - info['length'],
  found['last-delivered-id'], found['entries-read'] or 0
}
local entries, bytes, from = {}, 0, ARGV[2]
while bytes < tonumber(ARGV[3]) and #entries < tonumber(ARGV[4]) do
  local some = redis.call('XRANGE', KEYS[1], from, '+', 'COUNT', 16)
  for _, entry in ipairs(some) do
    entries[#entries + 1] = entry
    for _, part in ipairs(entry[2]) do bytes = bytes + #part end
  end
  if #some < 16 then break end
  from = '(' .. some[#some][1]
end
return {facts, entries}`,

  /**
   * Says what a group has settled, and with trimming removes what all of them have. KEYS: lane. ARGV: incarnation, group,
   * the id of the last entry that is settled, whether to trim (0 or 1). Does nothing to a lane that is another one.
   */
  settle: `${marking}${looking}${trimming}
local found = marker(KEYS[1])
if not found or found.name ~= 'millrace@' .. ARGV[1] then return 0 end
local group = 'millrace:' .. ARGV[2]
if redis.pcall('XGROUP', 'SETID', KEYS[1], group, ARGV[3]).err then
  redis.call('XGROUP', 'CREATE', KEYS[1], group, ARGV[3])
end
if ARGV[4] == '0' then return 1 end
local least, leastMs, leastSeq
for _, one in ipairs(redis.call('XINFO', 'GROUPS', KEYS[1])) do
  local read = {}
  for at = 1, #one, 2 do read[one[at]] = one[at + 1] end
  if string.sub(read.name, 1, 9) == 'millrace:' then
    local ms, seq = string.match(read['last-delivered-id'], '^(%d+)-(%d+)$')
    ms, seq = tonumber(ms), tonumber(seq)
    if not least or ms < leastMs or (ms == leastMs and seq < leastSeq) then
      least, leastMs, leastSeq = read['last-delivered-id'], ms, seq
    end
  end
end
trim(KEYS[1], ARGV[1], string.format('%.0f-%.0f', leastMs, leastSeq + 1))
return 1`,

  /** A group that has settled nothing yet keeps everything. KEYS: lanes. ARGV: group. */
  begin: `
for _, key in ipairs(KEYS) do
  redis.pcall('XGROUP', 'CREATE', key, 'millrace:' .. ARGV[1], '0')
end`,

  /**
   * A member is there, by the server's clock. KEYS: members, shares. ARGV: member, lease in ms. Answers the shares as
   * they were written last, and the members that are there.
   */
  beat: `
local now = redis.call('TIME')
local ms = now[1] * 1000 + math.floor(now[2] / 1000)
redis.call('HSET', KEYS[1], ARGV[1], string.format('%.0f', ms + ARGV[2]))
local answer = {redis.call('GET', KEYS[2]) or ''}
local all = redis.call('HGETALL', KEYS[1])
for at = 1, #all, 2 do
  if tonumber(all[at + 1]) < ms then redis.call('HDEL', KEYS[1], all[at]) else answer[#answer + 1] = all[at] end
end
redis.call('PEXPIRE', KEYS[1], ARGV[2] * 2)
return answer`,

  /** Writes shares where they are still what they were. KEYS: shares. ARGV: before, after. */
  share: `
if (redis.call('GET', KEYS[1]) or '') ~= ARGV[1] then return 0 end
if ARGV[2] == '' then redis.call('DEL', KEYS[1]) else redis.call('SET', KEYS[1], ARGV[2]) end
return 1`,

  /** A member leaves. KEYS: members, shares. ARGV: member. Answers as `beat` does. */
  leave: `
redis.call('HDEL', KEYS[1], ARGV[1])
local answer = {redis.call('GET', KEYS[2]) or ''}
for _, member in ipairs(redis.call('HKEYS', KEYS[1])) do answer[#answer + 1] = member end
return answer`,
} as const;

export type ScriptName = keyof typeof scripts;
