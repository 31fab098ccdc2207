-- Marks a decision as delivered: the gate will not admit it again. It counts for the channels that were tried.
-- Nothing is stored for a user who was erased.
-- KEYS: deliveries
-- ARGV: decision, the channels that were tried with a blank between
local deliveries, id = KEYS[1], ARGV[1]

if redis.call('EXISTS', deliveries) == 0 then
  return 'OK'
end
redis.call('HSET', deliveries, '* ' .. id, '1')
local known = redis.call('HGET', deliveries, '# ' .. id)
if known then
  local verdict, tags, rest = string.match(known, '^([^\n]*)\n([^\n]*)\n(.*)$')
  tags = string.gsub(tags, 'channel:%S+ ', '')
  for name in string.gmatch(ARGV[2], '%S+') do
    tags = tags .. 'channel:' .. name .. ' '
  end
  redis.call('HSET', deliveries, '# ' .. id, table.concat({ verdict, tags, rest }, '\n'))
end
return 'OK'
