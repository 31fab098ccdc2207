-- Answers whether a push may go out, and counts it if so: 'admitted', 'capped' or 'already_sent'.
-- KEYS: sends (admitted decisions by time), capped (refused ones by time), deliveries
-- ARGV: decision, at, cap, window, kept (the times in ms; no clock but the caller's), max_decisions
local sends, capped, deliveries = KEYS[1], KEYS[2], KEYS[3]
local id, at, cap = ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local window, kept, bound = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[6])

local function ms(number)
  return string.format('%.0f', number)
end

-- The time of the decision that is n-th from the newest (0 is the newest itself), or nil.
local function nth(key, n)
  return tonumber(redis.call('ZREVRANGE', key, n, n, 'WITHSCORES')[2])
end

-- The time up to which decisions were dropped, or nil.
local function forgotten()
  return tonumber(redis.call('HGET', deliveries, 'forgotten') or nil)
end

local function forget_deliveries(gone)
  for _, field in ipairs(redis.call('HKEYS', deliveries)) do
    if gone[string.match(field, '^%S* (.*)$')] then
      redis.call('HDEL', deliveries, field)
    end
  end
end

-- Drops what is beyond the bound and behind every window, and notes up to where the memory now has holes.
local function drop_old(key, before)
  local beyond = nth(key, bound)
  if not beyond then
    return
  end
  before = math.min(before, beyond)
  local gone = {}
  for _, old in ipairs(redis.call('ZRANGEBYSCORE', key, '-inf', ms(before))) do
    gone[old] = true
  end
  if next(gone) then
    redis.call('ZREMRANGEBYSCORE', key, '-inf', ms(before))
    forget_deliveries(gone)
    redis.call('HSET', deliveries, 'forgotten', ms(math.max(forgotten() or before, before)))
  end
end

if redis.call('HEXISTS', deliveries, '* ' .. id) == 1 then
  return 'already_sent'
end
if redis.call('ZSCORE', sends, id) then
  return 'admitted'
end
if redis.call('ZSCORE', capped, id) then
  return 'capped'
end
if forgotten() and at - forgotten() < window then
  return 'already_sent'
end

local admitted = redis.call('ZCOUNT', sends, '(' .. ms(at - window), '+inf') < cap
redis.call('ZADD', admitted and sends or capped, ARGV[2], id)
local newest = math.max(nth(sends, 0) or at, nth(capped, 0) or at)
drop_old(sends, newest - kept - window)
drop_old(capped, newest - kept - window)
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, ms(kept + window))
end
return admitted and 'admitted' or 'capped'
