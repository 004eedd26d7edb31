-- wrk's script: send the bodies of a file, one a line, again and again; report as JSON.
-- Requests are formatted once, so that the generator costs as little as it can.
local requests, index = {}, 0

function init(args)
  local headers = {
    ["Content-Type"] = "application/json",
    ["User-Agent"] = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
  }
  for line in io.lines(args[1]) do
    requests[#requests + 1] = wrk.format("POST", nil, headers, line)
  end
end

function request()
  index = index % #requests + 1
  return requests[index]
end

function done(summary, latency)
  local e = summary.errors
  io.write(string.format(
    '\nRESULT {"seconds":%f,"requests":%d,"errors":%d,"p50_ms":%f,"p99_ms":%f,"max_ms":%f}\n',
    summary.duration / 1e6, summary.requests,
    e.connect + e.read + e.write + e.status + e.timeout,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3, latency.max / 1e3))
end
