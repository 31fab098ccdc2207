-- Counts an admitted decision no more: it joins those that were refused.
-- KEYS: sends, capped, deliveries
-- ARGV: decision, the verdict that it has from now on
local sends, capped, deliveries, id = KEYS[1], KEYS[2], KEYS[3], ARGV[1]

local at = redis.call('ZSCORE', sends, id)
if at then
  redis.call('ZADD', capped, at, id)
  redis.call('PEXPIRE', capped, math.max(redis.call('PTTL', sends), redis.call('PTTL', capped)))
  redis.call('ZREM', sends, id)
  redis.call('HSET', deliveries, '# ' .. id, ARGV[2] .. '\n\n\n')
end
return 'OK'
