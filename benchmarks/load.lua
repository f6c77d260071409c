-- Sends the lines of $BENCH_REQUESTS in turn: bodies of POSTs, or paths of GETs if $BENCH_METHOD is GET.
-- @@N@@ in a line becomes a number that counts up from $BENCH_COUNT; statuses are counted if $BENCH_STATUSES is set,
-- because looking at each answer takes time.
local lines, requests, position = {}, {}, 0
for line in io.lines(os.getenv("BENCH_REQUESTS")) do lines[#lines + 1] = line end
local method, token = os.getenv("BENCH_METHOD"), os.getenv("BENCH_TOKEN")
local count = tonumber(os.getenv("BENCH_COUNT"))
local is_numbered = string.find(lines[1], "@@N@@", 1, true) ~= nil
local headers = { ["Accept"] = "application/json" }
if method == "POST" then headers["Content-Type"] = "application/json" end
if token ~= "" then headers["Authorization"] = "Bearer " .. token end

local function make(line)
  if method == "GET" then return wrk.format("GET", line, headers) end
  return wrk.format("POST", "/graphql", headers, line)
end

function init(_)
  if is_numbered then return end
  for number, line in ipairs(lines) do requests[number] = make(line) end
end

function request()
  position = position % #lines + 1
  if not is_numbered then return requests[position] end
  count = count + 1
  return make((string.gsub(lines[position], "@@N@@", tostring(count))))
end

local threads = {}
function setup(thread) threads[#threads + 1] = thread end

good, refused, other = 0, 0, 0
if os.getenv("BENCH_STATUSES") ~= "" then
  function response(status, _, _)
    if status == 200 then good = good + 1
    elseif status == 503 then refused = refused + 1
    else other = other + 1 end
  end
end

function done(summary, latency, _)
  local errors, thread = summary.errors, threads[1]
  io.write(string.format(
    'RESULT {"requests": %d, "microseconds": %d, "bytes": %d, "p50_us": %f, "p99_us": %f, "max_us": %f, "bad": %d, ' ..
    '"broken": %d, "good": %d, "refused": %d, "other": %d}\n',
    summary.requests, summary.duration, summary.bytes, latency:percentile(50), latency:percentile(99), latency.max,
    errors.status, errors.connect + errors.read + errors.write + errors.timeout, thread:get("good"),
    thread:get("refused"), thread:get("other")))
end
