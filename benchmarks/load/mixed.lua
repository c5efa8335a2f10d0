-- What the clients of a soak ask, in turn.

local body = string.rep("x", 4096)
local requests = {}
local turn = 0

function init()
   local get = wrk.format("GET", "/items/42")
   local post = wrk.format("POST", "/items/42", { ["Content-Type"] = "text/plain" }, body)
   local chunked = wrk.format("GET", "/chunked/16k", { ["Accept-Encoding"] = "gzip" })
   local missing = wrk.format("GET", "/missing/thing") -- 404 of the origin
   local nowhere = wrk.format("GET", "/nowhere") -- 404 of the gateway
   requests = { get, post, get, chunked, get, post, missing, get, chunked, nowhere }
end

function request()
   turn = turn % #requests + 1
   return requests[turn]
end
