-- Puts a message into an inbox; the same message again changes nothing. Only the newest stay.
-- KEYS: messages (decision → JSON), order (decisions by time)
-- ARGV: decision, at, message, bound, kept (ms)
local messages, order = KEYS[1], KEYS[2]
local id, at, message, bound = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])

redis.call('HSET', messages, id, message)
redis.call('ZADD', order, at, id)
for _, old in ipairs(redis.call('ZRANGE', order, 0, -1 - bound)) do
  redis.call('HDEL', messages, old)
  redis.call('ZREM', order, old)
end
for _, key in ipairs(KEYS) do
  redis.call('PEXPIRE', key, ARGV[5])
end
return 'OK'
