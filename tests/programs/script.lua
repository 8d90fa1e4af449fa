-- What Lua does with the machine: doubles, 64-bit integers, strings and patterns, tables, closures,
-- coroutines, errors (longjmp), garbage collection, files.
print(1 / 3, 2 ^ 53, 7 // 2, -7 // 2, -7 % 3, 7.5 % -2, 1e308 * 10, -(0 / 0) ~= -(0 / 0))
print(math.maxinteger + 1 == math.mininteger, 1 << 62, ~0, 5 // 0.0, math.tointeger(3.0))
print(string.format("%5.2f|%-6s|%06d|%x|%q|%g|%a", math.pi, "ab", 42, 255, "a\nb", 1e100, 0.1))
for w, n in ("one=1, two=22, three=333"):gmatch("(%a+)=(%d+)") do io.write(w, ":", n, " ") end
print(("hello world"):gsub("o", "0"), ("x"):rep(5, "-"), ("abc"):reverse(), #"caf\u{e9}")

local function sieve(n)
  local composite, count = {}, 0
  for i = 2, n do
    if not composite[i] then
      count = count + 1
      for j = i * i, n, i do composite[j] = true end
    end
  end
  return count
end
print("primes", sieve(100000))

local words = {}
for i = 1, 5000 do words[i] = ("%04x"):format((i * 7919) % 65536) end
table.sort(words)
print(words[1], words[2500], words[5000], #table.concat(words))
table.sort(words, function(a, b) return a > b end)
print(words[1])

local function producer(n)
  return coroutine.wrap(function() for i = 1, n do coroutine.yield(i * i) end end)
end
local sum = 0
for v in producer(1000) do sum = sum + v end
print("coroutines", sum)

print(select(2, pcall(error, { code = 7 })).code)
print(select(2, pcall(function() local t = nil; return t.x end)))
local ok, where = xpcall(function() error("deep") end, function(e) return "handled " .. e end)
print(ok, where)
local function recurse(n) return n == 0 and 0 or 1 + recurse(n - 1) end
print("recursion", recurse(10000), (pcall(function() local function f() return 1 + f() end f() end)))

local live = setmetatable({}, { __mode = "v" })
for i = 1, 1000 do live[i] = { i } end
collectgarbage()
local left = 0
for _ in pairs(live) do left = left + 1 end
print("garbage", left)
local vector = setmetatable({ 1, 2 }, {
  __add = function(a, b) return a[1] + b[1] end, __index = function(_, k) return k .. "!" end,
  __call = function(self, x) return x * 2 end, __tostring = function() return "vector" end })
print(vector + vector, vector.missing, vector(21), tostring(vector))

local name = os.tmpname()
local f = assert(io.open(name, "w"))
for i = 1, 100 do f:write(i, "\n") end
f:close()
local total = 0
for line in io.lines(name) do total = total + tonumber(line) end
print("lines", total, io.open(name):seek("end"))
os.remove(name)
print(io.open("/nonexistent/file"))
print(os.time({ year = 2000, month = 1, day = 1, hour = 12 }), os.date("!%Y-%m-%d", 86400 * 365))
print(math.sin(1), math.exp(1), math.log(10), math.sqrt(2), math.floor(-1.5), math.fmod(7, 3))
print(string.pack("<i4d", 1, 0.5):byte(1, -1))
print(utf8.char(228, 8364, 0x10ffff), utf8.len("\u{20ac}\u{e4}"))
print(load("return 6 * 7")(), load("syntax error here"))
goto done
print("skipped")
::done::
