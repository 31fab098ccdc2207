-- Notes decisions about a user, each once, and keeps the newest; what became of one that is noted again stays with it.
-- KEYS: decisions (id → JSON)
-- ARGV: bound, kept (ms), then of each decision its id, and its JSON without the brace that ends it
local decisions, bound = KEYS[1], tonumber(ARGV[1])
local OUTCOMES = ',"outcomes":'

-- What is first in time, and of that the first by id: an id is unique, so there is always one.
local function oldest()
  local all, found, least = redis.call('HGETALL', decisions), nil, nil
  for place = 1, #all, 2 do
    local at = tonumber(string.match(all[place + 1], '"at":(%d+)'))
    if not least or at < least or (at == least and all[place] < found) then
      found, least = all[place], at
    end
  end
  return found
end

for place = 3, #ARGV, 2 do
  local id, text = ARGV[place], ARGV[place + 1]
  local held = redis.call('HGET', decisions, id)
  local ended = held and string.sub(held, (string.find(held, OUTCOMES, 1, true))) or OUTCOMES .. '{}}'
  redis.call('HSET', decisions, id, text .. ended)
  if redis.call('HLEN', decisions) > bound then
    redis.call('HDEL', decisions, oldest())
  end
end
redis.call('PEXPIRE', decisions, ARGV[2])
return 'OK'
