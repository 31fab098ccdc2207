-- Answers whether a push may go out, and on which channels, and counts it if so.
-- KEYS: sends (admitted decisions by time), capped (those that do not count, by time), deliveries
-- ARGV: ask (JSON: id, at, tags, limits, channels), kept (ms), max_decisions, longest window (ms)
-- Replies with the decision's record: verdict, tags, channels, fallbacks, a line each.
-- A limit is { name, tag, but_not, window, most }, a channel { name, along, window, most }; no clock but the caller's.
local sends, capped, deliveries = KEYS[1], KEYS[2], KEYS[3]
local ask = cjson.decode(ARGV[1])
local id, at = ask.id, ask.at
local kept, bound, longest = tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[4])

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

-- What was sent in the longest window: of each its time and its tags, with a blank around every one.
local function counted()
  local found = redis.call('ZRANGEBYSCORE', sends, '(' .. ms(at - longest), '+inf', 'WITHSCORES')
  local sent = {}
  for k = 1, #found, 2 do
    local record = redis.call('HGET', deliveries, '# ' .. found[k]) or ''
    sent[#sent + 1] = { at = tonumber(found[k + 1]), tags = string.match(record, '^[^\n]*\n([^\n]*)') or '' }
  end
  return sent
end

local function reached(sent, tag, but_not, window, most)
  local count = 0
  for _, one in ipairs(sent) do
    if one.at > at - window and string.find(one.tags, ' ' .. tag .. ' ', 1, true)
        and not (but_not ~= '' and string.find(one.tags, ' ' .. but_not .. ' ', 1, true)) then
      count = count + 1
    end
  end
  return count >= most
end

local function record(verdict, tags, channels, fallbacks)
  return table.concat({ verdict, tags, table.concat(channels, ' '), table.concat(fallbacks, ' ') }, '\n')
end

if redis.call('HEXISTS', deliveries, '* ' .. id) == 1 then
  return 'already_sent'
end
local known = redis.call('HGET', deliveries, '# ' .. id)
if known then
  return known
end
if forgotten() and at - forgotten() < longest then
  return 'already_sent'
end

local sent = counted()
local verdict = 'admitted'
for _, limit in ipairs(ask.limits) do
  if reached(sent, limit[2], limit[3], limit[4], limit[5]) then
    verdict = limit[1]
    break
  end
end
local channels, fallbacks, tags, disturbed = {}, {}, ask.tags, false
if verdict == 'admitted' then
  for _, channel in ipairs(ask.channels) do
    local name, along, window, most = channel[1], channel[2], channel[3], channel[4]
    if window == 0 or not reached(sent, 'channel:' .. name, '', window, most) then
      local list = (along or not disturbed) and channels or fallbacks
      list[#list + 1] = name
      disturbed = disturbed or not along
      tags = tags .. 'channel:' .. name .. ' '
    end
  end
  if #channels == 0 and #ask.channels > 0 then
    verdict, tags = 'channel_capped', ask.tags
  end
end
redis.call('ZADD', verdict == 'admitted' and sends or capped, ms(at), id)
local said = record(verdict, tags, channels, fallbacks)
redis.call('HSET', deliveries, '# ' .. id, said)
local newest = math.max(nth(sends, 0) or at, nth(capped, 0) or at)
drop_old(sends, newest - kept - longest)
drop_old(capped, newest - kept - longest)
for _, key in ipairs(KEYS) do
  if redis.call('PTTL', key) < kept + longest then
    redis.call('PEXPIRE', key, ms(kept + longest))
  end
end
return said
