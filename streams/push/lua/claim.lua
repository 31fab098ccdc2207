-- Takes a delivery in hand: 'fresh', 'interrupted', or the outcome (JSON) that it already has.
-- KEYS: sends, deliveries
-- ARGV: field, token (one a call, so that a client's retry of the same call is told the same; empty: only look), kept
local sends, deliveries = KEYS[1], KEYS[2]
local field, token, kept = ARGV[1], ARGV[2], tonumber(ARGV[3])

local held = redis.call('HGET', deliveries, field)
if held and string.sub(held, 1, 1) == '{' then
  return held
end
if held then
  -- The first claimant's token stays: were ours written, our own retry would take the claim for fresh.
  return held == '?' .. token and 'fresh' or 'interrupted'
end
if token ~= '' then
  redis.call('HSET', deliveries, field, '?' .. token)
  redis.call('PEXPIRE', deliveries, string.format('%.0f', math.max(kept, redis.call('PTTL', sends))))
end
return 'fresh'
