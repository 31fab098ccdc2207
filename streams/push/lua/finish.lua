-- Marks a decision as delivered: the gate will not admit it again. Nothing is stored for a user who was erased.
-- KEYS: deliveries
-- ARGV: field
if redis.call('EXISTS', KEYS[1]) == 1 then
  redis.call('HSET', KEYS[1], ARGV[1], '1')
end
return 'OK'
