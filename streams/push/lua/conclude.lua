-- Notes what became of decisions about a user, channel by channel; of two about the same the later one stands.
-- Of a decision that is not noted (any more) nothing is: what erasure took away does not come back.
-- KEYS: decisions (id → JSON)
-- ARGV: kept (ms), then of each outcome the decision's id, the channel, and its JSON
local decisions = KEYS[1]
local OUTCOMES = ',"outcomes":'

for place = 2, #ARGV, 3 do
  local id, channel, ended = ARGV[place], ARGV[place + 1], cjson.decode(ARGV[place + 2])
  local held = redis.call('HGET', decisions, id)
  if held then
    local from = string.find(held, OUTCOMES, 1, true) + #OUTCOMES
    local outcomes = cjson.decode(string.sub(held, from, -2))
    if not outcomes[channel] or outcomes[channel].at <= ended.at then
      outcomes[channel] = ended
      redis.call('HSET', decisions, id, string.sub(held, 1, from - 1) .. cjson.encode(outcomes) .. '}')
      redis.call('PEXPIRE', decisions, ARGV[1])
    end
  end
end
return 'OK'
