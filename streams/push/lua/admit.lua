-- Answers whether a push may go out, and on which channels, and counts it if so.
-- KEYS: sends (admitted decisions by time), capped (those that do not count, by time), deliveries
-- ARGV: decision, event time (ms), the tag of its episode (or empty), terms (JSON: limits, tags, channels, longest
--       window, kept and max_decisions; times in ms)
-- Replies with verdict, channels and fallbacks, a line each; of what is known and finished with the verdict alone.
-- A limit is { name, tag, but_not, window, most }, a channel { name, along, window, most }; no clock but the caller's.
local sends, capped, deliveries = KEYS[1], KEYS[2], KEYS[3]
local id, episode = ARGV[1], ARGV[3]
local at = tonumber(ARGV[2])
local terms = memo[ARGV[4]]
if not terms then
  terms = cjson.decode(ARGV[4])
  memo[ARGV[4]] = terms
end
local kept, bound, longest = terms.kept, terms.max_decisions, terms.longest
local OWN = 'episode:'

local function ms(number)
  return string.format('%.0f', number)
end

-- The time of the decision that is n-th from the newest (0 is the newest itself), or nil.
local function nth(key, n)
  return tonumber(redis.call('ZREVRANGE', key, n, n, 'WITHSCORES')[2])
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
    local forgotten = tonumber(redis.call('HGET', deliveries, 'forgotten') or nil)
    redis.call('HSET', deliveries, 'forgotten', ms(math.max(forgotten or before, before)))
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

-- Every decision that is counted has its record among the deliveries: where these are none, nothing is known of the user.
local size = redis.call('HLEN', deliveries)
local sent = {}
if size > 0 then
  local held = redis.call('HMGET', deliveries, '* ' .. id, '# ' .. id, 'forgotten')
  if held[1] then
    return 'already_sent'
  end
  if held[2] then
    return (string.gsub(held[2], '\n[^\n]*', '', 1))
  end
  local forgotten = tonumber(held[3] or nil)
  if forgotten and at - forgotten < longest then
    return 'already_sent'
  end
  sent = counted()
end

local verdict = 'admitted'
for _, limit in ipairs(terms.limits) do
  local but_not = limit[3] == OWN and episode or limit[3]
  if reached(sent, limit[2], but_not, limit[4], limit[5]) then
    verdict = limit[1]
    break
  end
end
local own = episode == '' and terms.tags or terms.tags .. episode .. ' '
local channels, fallbacks, tags, disturbed = {}, {}, own, false
if verdict == 'admitted' then
  for _, channel in ipairs(terms.channels) do
    local name, along, window, most = channel[1], channel[2], channel[3], channel[4]
    if window == 0 or not reached(sent, 'channel:' .. name, '', window, most) then
      local list = (along or not disturbed) and channels or fallbacks
      list[#list + 1] = name
      disturbed = disturbed or not along
      tags = tags .. 'channel:' .. name .. ' '
    end
  end
  if #channels == 0 and #terms.channels > 0 then
    verdict, tags = 'channel_capped', own
  end
end
local where = table.concat(channels, ' ') .. '\n' .. table.concat(fallbacks, ' ')
local key = verdict == 'admitted' and sends or capped
redis.call('ZADD', key, ARGV[2], id)
redis.call('HSET', deliveries, '# ' .. id, verdict .. '\n' .. tags .. '\n' .. where)
if size == 0 then
  redis.call('PEXPIRE', key, ms(kept + longest))
  redis.call('PEXPIRE', deliveries, ms(kept + longest))
else
  if size >= bound then
    local newest = math.max(nth(sends, 0) or at, nth(capped, 0) or at)
    drop_old(sends, newest - kept - longest)
    drop_old(capped, newest - kept - longest)
  end
  for _, one in ipairs(KEYS) do
    if redis.call('PTTL', one) < kept + longest then
      redis.call('PEXPIRE', one, ms(kept + longest))
    end
  end
end
return verdict .. '\n' .. where
