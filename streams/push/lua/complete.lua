-- Ends a claimed delivery and returns the outcome (JSON) that stands: the first one, whoever brings another.
-- Without a claim nothing is stored, so that what erasure took away does not come back.
-- KEYS: deliveries
-- ARGV: field, outcome
local deliveries, field, outcome = KEYS[1], ARGV[1], ARGV[2]

local held = redis.call('HGET', deliveries, field)
if held and string.sub(held, 1, 1) == '{' then
  return held
end
if held then
  redis.call('HSET', deliveries, field, outcome)
end
return outcome
