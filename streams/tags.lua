-- Writes all of a user's tags in place of those that stand there; what is older than those changes nothing.
-- KEYS: tags
-- ARGV: seq, at, rules, kept (ms), tags ("dimension value dimension value …")
local tags = KEYS[1]

local held = tonumber(redis.call('HGET', tags, 'seq') or nil)
if held and held > tonumber(ARGV[1]) then
  return 0
end
local fields = {'seq', ARGV[1], 'at', ARGV[2], 'rules', ARGV[3]}
for word in string.gmatch(ARGV[5], '%S+') do
  fields[#fields + 1] = word
end
redis.call('DEL', tags)
redis.call('HSET', tags, unpack(fields))
redis.call('PEXPIRE', tags, ARGV[4])
return 1
