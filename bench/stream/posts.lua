-- Posts events of many vehicles: one as a form, or so many as a JSON array. Arguments: events of a post.
dofile(debug.getinfo(1).source:match("@(.*/)") .. "../http/wrk-report.lua")

local posts = {}
local at = 0
local startSeconds = os.time()

local fields = { "timestamp", "make", "model", "position_x", "position_y", "position_z", "speed" }

local function event(index, pattern, separator)
  local values = { 1790000000 + index / 8192, "Ford", "Explorer", index * 0.000007, index * 0.000013, index * 0.000331, 61.8034 }
  local parts = {}
  for place, name in ipairs(fields) do
    local value = values[place]
    local text = type(value) == "number" and string.format("%.6f", value) or (separator == "&" and value or '"' .. value .. '"')
    parts[place] = string.format(pattern, name, text)
  end
  local vin = string.format("GD9KE1GANA%07d", index % 20000)
  parts[#parts + 1] = string.format(pattern, "vin", separator == "&" and vin or '"' .. vin .. '"')
  return table.concat(parts, separator)
end

function init(args)
  local events = tonumber(args[1])
  for post = 1, events == 1 and 2000 or 50 do
    local body, kind
    if events == 1 then
      body, kind = event(post, "%s=%s", "&"), "application/x-www-form-urlencoded"
    else
      local list = {}
      for index = 1, events do list[index] = "{" .. event(post * events + index, '"%s":%s', ",") .. "}" end
      body, kind = "[" .. table.concat(list, ",") .. "]", "application/json"
    end
    local text = wrk.format("POST", "/events", { ["content-type"] = kind }, body)
    -- Around the time of the first event, which is another one in each post.
    local from, to = text:find("1790000000%.%d+")
    if events > 1 then from, to = text:find("1790000%d%d%d%.%d+") end
    posts[post] = { text:sub(1, from - 1), text:sub(to + 1) }
  end
end

function request()
  at = at + 1
  local post = posts[at % #posts + 1]
  return post[1] .. string.format("%.6f", startSeconds + at / 65536) .. post[2]
end
