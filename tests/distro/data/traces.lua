-- What LuaJIT compiles and what it leaves again: loops, side exits, calls into C and back, numbers,
-- strings, coroutines, metatables, errors caught in compiled code, and the collector meanwhile.
local ffi = require("ffi")
local bit = require("bit")
local scale = tonumber(arg[1] or 100)

local function times(n) return math.max(1, math.floor(n * scale / 100)) end

local function sieve(n)
  local composite, count = {}, 0
  for i = 2, n do
    if not composite[i] then
      count = count + 1
      for k = i * i, n, i do composite[k] = true end
    end
  end
  return count
end
print("sieve", sieve(200000))

-- The branch changes its mind: traces grow at the side.
local odd, even, sum = 0, 0, 0
for i = 1, times(2000000) do
  if i % 7 == 0 then odd = odd + i elseif bit.band(i, 1) == 0 then even = even + 1 else sum = sum + i * 0.5 end
end
print("branches", odd, even, sum)

ffi.cdef [[
  typedef struct { double x, y; uint8_t tag; } point;
  int compare(const void *a, const void *b);
  void qsort(void *base, size_t count, size_t size, int (*f)(const void *, const void *));
  size_t strlen(const char *s);
  int snprintf(char *s, size_t n, const char *format, ...);
  double sqrt(double x);
]]
local points = ffi.new("point[?]", 1000)
for i = 0, 999 do points[i].x, points[i].y, points[i].tag = i, i * i % 97, i end
local length = 0
for _ = 1, times(500) do
  for i = 1, 999 do
    local dx, dy = points[i].x - points[i - 1].x, points[i].y - points[i - 1].y
    length = length + ffi.C.sqrt(dx * dx + dy * dy)
  end
end
print(string.format("length %.6f %d", length / times(500), points[300].tag))

local list = ffi.new("int[?]", 1000)
for i = 0, 999 do list[i] = i * 7919 % 1009 end
local calls = 0
local callback = ffi.cast("int (*)(const void *, const void *)", function(a, b)
  calls = calls + 1
  return ffi.cast("const int *", a)[0] - ffi.cast("const int *", b)[0]
end)
ffi.C.qsort(list, 1000, 4, callback)
callback:free()
local sorted = true
for i = 1, 999 do sorted = sorted and list[i - 1] <= list[i] end
print("qsort with a callback", sorted, calls > 1000, list[0], list[999])

local buffer = ffi.new("char[64]")
ffi.C.snprintf(buffer, 64, "%s %d %.3f", "from C", ffi.new("int", 42), 2.5)
print(ffi.string(buffer), tonumber(ffi.C.strlen(buffer)))
local wide = 0ULL
for i = 1, times(300000) do wide = wide * 6364136223846793005ULL + i end
print("64 bits", tostring(wide), bit.tohex(bit.rol(0x12345678, 8)), bit.bxor(0xffff, 0x0f0f))

local words = {}
for i = 1, times(100000) do
  local w = "w" .. i % 101
  words[w] = (words[w] or 0) + #w
end
local names = {}
for w in pairs(words) do names[#names + 1] = w end
table.sort(names)
print(#names, names[1], words[names[1]], table.concat(names, ",", 1, 5))

local generator = coroutine.wrap(function() for i = 1, math.huge do coroutine.yield(i * i) end end)
local total = 0
for _ = 1, times(100000) do total = total + generator() end
print("coroutines", total)

local vector = {}
vector.__index = vector
vector.__add = function(a, b) return setmetatable({x = a.x + b.x}, vector) end
vector.__eq = function(a, b) return a.x == b.x end
local v = setmetatable({x = 0}, vector)
for i = 1, times(500000) do v = v + setmetatable({x = i}, vector) end
print("metatables", v.x, v == setmetatable({x = v.x}, vector))

local failed = 0
for i = 1, times(20000) do
  local good = pcall(function() if i % 3 == 0 then error("third") end return nil + (i % 5 == 0 and nil or 1) end)
  if not good then failed = failed + 1 end
end
print("errors", failed)
local function deep(n) return n == 0 and 0 or 1 + deep(n - 1) end
print("depth", deep(5000), (pcall(function() local function f() return 1 + f() end return f() end)))

local text = string.rep("the quick brown fox ", times(2000))
local count = 0
for _ in text:gmatch("%f[%a]q%a+") do count = count + 1 end
print("patterns", count == times(2000), (text:gsub("fox", "dog")):sub(17, 19))
-- Functions come and go: their machine code is thrown away and made anew.
local made = 0
for i = 1, times(300) do
  local f = assert(loadstring("local s = 0 for i = 1, 200 do s = s + i * " .. i .. " end return s"))
  made = made + f() + f()
  if i % 50 == 0 then jit.flush() end
end
print("functions", made)
collectgarbage()
print(jit.status() and jit.arch, 0.1 + 0.2, 1e300 * 1e10, -0.0, string.format("%.17g", 2 / 3))
os.exit(11)
