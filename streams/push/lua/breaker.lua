-- Answers of each decision of one hour, in order, whether it may go (1) or is stopped (0), and counts it.
-- KEYS: let and stops (hour → how many), the decisions of this hour that were let go, those that were stopped
-- ARGV: hour, least, times, usual_hours, kept_hours, life (ms), and of each decision its id, and 1 where it is approved
local let, stops, gone, stopped = KEYS[1], KEYS[2], KEYS[3], KEYS[4]
local hour, least, times = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3])
local usual_hours, kept_hours, life = tonumber(ARGV[4]), tonumber(ARGV[5]), ARGV[6]
local FIRST = 7

-- The busiest of the hours before this one in which nothing was stopped.
local function usual()
  local busiest = 0
  local counts = redis.call('HGETALL', let)
  for n = 1, #counts, 2 do
    local other, count = tonumber(counts[n]), tonumber(counts[n + 1])
    if count > busiest and hour - usual_hours <= other and other < hour
        and redis.call('HEXISTS', stops, counts[n]) == 0 then
      busiest = count
    end
  end
  return busiest
end

-- Forgets the hours that lie too far behind the newest.
local function prune(counts)
  local newest, hours = hour, redis.call('HKEYS', counts)
  for _, other in ipairs(hours) do
    newest = math.max(newest, tonumber(other))
  end
  for _, other in ipairs(hours) do
    if tonumber(other) < newest - kept_hours then
      redis.call('HDEL', counts, other)
    end
  end
end

-- Tells how many decisions of this hour there are in a set.
local function tell(counts, set)
  if redis.call('HSET', counts, ARGV[1], redis.call('SCARD', set)) == 1 then
    prune(counts)
  end
end

local went, held = redis.call('SCARD', gone), redis.call('SCARD', stopped)
local fresh = false

local function lets(id, approved)
  if approved then
    held = held - redis.call('SREM', stopped, id)
    redis.call('HDEL', stops, ARGV[1])
  elseif held > 0 and redis.call('SISMEMBER', stopped, id) == 1 then
    return 0
  end
  -- Hardly ever more than the least, so that what is usual is hardly ever asked.
  if approved or went < least or went < math.floor(times * usual()) then
    if redis.call('SADD', gone, id) == 1 then
      went, fresh = went + 1, true
    end
    return 1
  end
  if redis.call('SISMEMBER', gone, id) == 1 then
    return 1
  end
  held = held + redis.call('SADD', stopped, id)
  tell(stops, stopped)
  return 0
end

local answers = {}
for n = FIRST, #ARGV, 2 do
  answers[#answers + 1] = lets(ARGV[n], ARGV[n + 1] == '1')
end
if fresh then
  tell(let, gone)
end
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, life)
end
return answers
