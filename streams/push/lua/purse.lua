-- One step of one purse: holds, spends, lowers or gives back what a decision costs. Answers 0 where it is granted, else the
-- place (from 1) of the account that had no room; -1 where it was released, or that account is not asked any more; -2
-- where it is granted and was spent before.
-- KEYS: sums (`held <account>`, `spent <account>`), ids (decision → its record), times (decisions by when they are over)
-- ARGV: verb, id, now, expires_at, kept, length (the times in ms; no clock but the caller's), swept,
--       and of each account its name, amount and limit
local sums, ids, times = KEYS[1], KEYS[2], KEYS[3]
local verb, id, now, expires_at = ARGV[1], ARGV[2], tonumber(ARGV[3]), tonumber(ARGV[4])
local kept, length, swept = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local FIRST = 8

local function whole(number)
  return string.format('%.0f', number)
end

-- Charges are flat: account, amount, account, amount …
local function charge(kind, charges)
  for n = 1, #charges, 2 do
    if charges[n + 1] > 0 then
      redis.call('HINCRBY', sums, kind .. ' ' .. charges[n], whole(charges[n + 1]))
    end
  end
end

-- Takes amounts away again, down to nothing: the sums of an account may have been forgotten meanwhile.
local function give_back(kind, charges)
  for n = 1, #charges, 2 do
    local field = kind .. ' ' .. charges[n]
    if redis.call('HINCRBY', sums, field, whole(0 - charges[n + 1])) <= 0 then
      redis.call('HDEL', sums, field)
    end
  end
end

local function keep(state, charges, over)
  redis.call('HSET', ids, id, cmsgpack.pack({state, charges}))
  redis.call('ZADD', times, whole(over), id)
  if length > 0 then
    local last = tonumber(redis.call('ZREVRANGE', times, 0, 0, 'WITHSCORES')[2])
    for _, key in ipairs(KEYS) do
      redis.call('PEXPIRE', key, whole(math.max(last - now, 0) + length))
    end
  end
end

-- Forgets decisions that are over, and gives back what was held for them; returns how many.
local function sweep()
  local over = redis.call('ZRANGEBYSCORE', times, '-inf', whole(now), 'LIMIT', 0, swept)
  for _, old in ipairs(over) do
    local state, charges = unpack(cmsgpack.unpack(redis.call('HGET', ids, old)))
    if state == 'held' then
      give_back('held', charges)
    end
  end
  if #over > 0 then
    redis.call('HDEL', ids, unpack(over))
    redis.call('ZREM', times, unpack(over))
  end
  return #over
end

-- The first account that has no room, or nil.
local function lacking()
  for n = FIRST, #ARGV, 3 do
    local account, amount, limit = ARGV[n], tonumber(ARGV[n + 1]), tonumber(ARGV[n + 2])
    local found = redis.call('HMGET', sums, 'held ' .. account, 'spent ' .. account)
    if (tonumber(found[1] or nil) or 0) + (tonumber(found[2] or nil) or 0) + amount > limit then
      return account
    end
  end
end

-- The place among those asked of the account that had no room.
local function place(account)
  for n = FIRST, #ARGV, 3 do
    if ARGV[n] == account then
      return (n - FIRST) / 3 + 1
    end
  end
  return -1
end

local function asked()
  local charges, amounts = {}, {}
  for n = FIRST, #ARGV, 3 do
    table.insert(charges, ARGV[n])
    table.insert(charges, tonumber(ARGV[n + 1]))
    amounts[ARGV[n]] = tonumber(ARGV[n + 1])
  end
  return charges, amounts
end

-- Spends what it costs now of what was held or spent for it: at most that.
local function spend(state, charges)
  local _, amounts = asked()
  local spent = {}
  for n = 1, #charges, 2 do
    table.insert(spent, charges[n])
    table.insert(spent, math.min(amounts[charges[n]] or 0, charges[n + 1]))
  end
  give_back(state, charges)
  charge('spent', spent)
  keep('spent', spent, now + kept)
end

-- Takes what is not known here, or not any more.
local function take()
  local short = lacking()
  while short and sweep() > 0 do
    short = lacking()
  end
  if short then
    keep('refused', {short}, now + kept)
    return place(short)
  end
  local kind, charges = verb == 'reserve' and 'held' or 'spent', asked()
  charge(kind, charges)
  keep(kind, charges, kind == 'held' and expires_at or now + kept)
  return 0
end

sweep()
local record = redis.call('HGET', ids, id)
local state, charges
if record then
  state, charges = unpack(cmsgpack.unpack(record))
end

if verb == 'release' then
  if state == 'held' or state == 'spent' then
    give_back(state, charges)
    keep('released', {}, now + kept)
  end
  return 0
end
if verb == 'settle' then
  if state == 'spent' then
    spend(state, charges)
  end
  return 0
end
if state == 'refused' then
  return place(charges[1])
end
if state == 'released' then
  return -1
end
if not state then
  return take()
end
if state == 'spent' then
  return -2
end
if verb == 'commit' then
  spend(state, charges)
end
return 0
