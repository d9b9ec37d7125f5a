-- Lua and LuaJIT: coroutines, with a scheduler and a channel as their users write them.
local BLOCKED, LONG_ENOUGH = 50000, 0.2
local create, resume, yield, running = coroutine.create, coroutine.resume, coroutine.yield, coroutine.running

local function switching(n)
  local other = create(function()
    while true do yield() end
  end)
  for _ = 1, n / 2 do resume(other) end
end

-- Who may run, first come, first served.
local queue, first, last = {}, 1, 0
local function ready(one)
  last = last + 1
  queue[last] = one
end
local function schedule()
  ready((running()))
  yield()
end
local function run()
  while first <= last do
    local one = queue[first]
    queue[first] = nil
    first = first + 1
    assert(resume(one))
  end
end

local function scheduling(n)
  local function body()
    for _ = 1, n / 2 do schedule() end
  end
  ready(create(body))
  ready(create(body))
  run()
end

-- A rendezvous: who comes first waits; the receiver goes on at once with what it is given.
local function channel()
  return { senders = {}, receivers = {} }
end
local function send(c, value)
  local receiver = table.remove(c.receivers, 1)
  if receiver then
    receiver.value = value
    ready(receiver.one)
  else
    table.insert(c.senders, { one = running(), value = value })
    yield()
  end
end
local function receive(c)
  local sender = table.remove(c.senders, 1)
  if sender then
    ready(sender.one)
    return sender.value
  end
  local waiting = { one = running() }
  table.insert(c.receivers, waiting)
  yield()
  return waiting.value
end

local function one_to_one(n)
  local c = channel()
  ready(create(function()
    local total = 0
    for _ = 1, n do total = total + receive(c) end
  end))
  ready(create(function()
    for i = 1, n do send(c, i) end
  end))
  run()
end

local function seconds(work, n)
  local start = os.clock()
  work(n)
  return os.clock() - start
end

local function rate(work)
  local n, taken = 1000, 0
  while taken < LONG_ENOUGH do
    n = n * 2
    taken = seconds(work, n)
  end
  local all = { seconds(work, n), seconds(work, n), seconds(work, n) }
  table.sort(all)
  print(string.format("[%.17g]", n / all[2]))
end

local function block()
  local kept = {}
  for i = 1, BLOCKED do kept[i] = false end
  collectgarbage()
  collectgarbage()
  local before, start = collectgarbage("count"), os.clock()
  for i = 1, BLOCKED do
    local one = create(function() return yield() end)
    resume(one)
    kept[i] = one
  end
  local taken = os.clock() - start
  collectgarbage()
  collectgarbage()
  print(string.format("[%.17g, %.17g]", taken * 1e6 / BLOCKED, (collectgarbage("count") - before) * 1024 / #kept))
end

local works = { switch = switching, schedule = scheduling, channel = one_to_one }
if arg[1] == "block" then block() else rate(works[arg[1]]) end
