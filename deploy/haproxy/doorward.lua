-- Asks Doorward whether a request may pass; see haproxy.cfg beside this file.
--
--     http-request lua.doorward http://127.0.0.1:8080
--     http-request lua.doorward-cookies
--
-- The first lets the request go on with the caller's identity, or ends it with Doorward's answer. The second takes
-- Doorward's own cookies out of what the application gets.

local IDENTITY = { "^x%-ms%-client%-principal", "^x%-ms%-token%-" }
-- What is said between two ends of one connection alone, or would be wrong of another body.
local NOT_PASSED = {
    ["connection"] = true, ["keep-alive"] = true, ["transfer-encoding"] = true, ["content-length"] = true,
}
local NOT_ASKED_WITH = {
    ["connection"] = true, ["keep-alive"] = true, ["transfer-encoding"] = true, ["content-length"] = true,
    ["expect"] = true, ["te"] = true, ["host"] = true, ["content-type"] = true,
}

local function values(list)
    -- The tables of HAProxy begin at 0.
    local kept = {}
    local at = 0
    while list[at] do
        kept[#kept + 1] = list[at]
        at = at + 1
    end
    return kept
end

local function question(txn)
    local headers = {}
    for name, list in pairs(txn.http:req_get_headers()) do
        if not NOT_ASKED_WITH[name:lower()] then
            headers[name] = values(list)
        end
    end
    local host = txn.sf:req_hdr("host")
    headers["host"] = { host }
    headers["x-original-method"] = { txn.sf:method() }
    headers["x-original-url"] = { "https://" .. host .. txn.sf:pathq() }
    return headers
end

local function is_identity(name)
    for _, pattern in ipairs(IDENTITY) do
        if name:match(pattern) then
            return true
        end
    end
    return false
end

local function answer(txn, got)
    local reply = txn:reply({ status = got.status })
    for name, list in pairs(got.headers or {}) do
        if not NOT_PASSED[name:lower()] then
            for _, value in ipairs(values(list)) do
                reply:add_header(name, value)
            end
        end
    end
    reply:set_body(got.body or "")
    txn:done(reply)
end

local function refuse(txn)
    local reply = txn:reply({ status = 503 })
    reply:add_header("cache-control", "no-store")
    reply:set_body("Try again in a moment.\n")
    txn:done(reply)
end

core.register_action("doorward", { "http-req" }, function(txn, address)
    local asked, got = pcall(function()
        return core.httpclient():get({
            url = address .. "/.auth/check?redirect=1",
            headers = question(txn),
            timeout = 15000,
        })
    end)
    if not asked or not got or not got.status or got.status == 0 or got.status >= 500 then
        return refuse(txn)
    end
    if got.status ~= 200 then
        return answer(txn, got)
    end
    local told = {}
    for name, list in pairs(got.headers) do
        if is_identity(name:lower()) then
            told[name:lower()] = values(list)[1]
            txn.http:req_set_header(name, values(list)[1])
        end
    end
    -- Whatever found no room in the buffer is silently not there.
    local known = txn.http:req_get_headers()
    for name, value in pairs(told) do
        if not known[name] or known[name][0] ~= value then
            return refuse(txn)
        end
    end
end, 1)

local function is_ours(name)
    return name:match("^AppServiceAuthSession") or name == "RedirectCount" or name == "Nonce"
        or name:match("^Nonce[0-9._-]")
end

core.register_action("doorward-cookies", { "http-req" }, function(txn)
    local lines = txn.http:req_get_headers()["cookie"]
    if not lines then
        return
    end
    txn.http:req_del_header("cookie")
    for _, line in ipairs(values(lines)) do
        local kept = {}
        for pair in line:gmatch("[^;]+") do
            local whole = pair:match("^%s*(.-)%s*$")
            if whole ~= "" and not is_ours(whole:match("^([^=]-)%s*=") or "") then
                kept[#kept + 1] = whole
            end
        end
        if #kept > 0 then
            txn.http:req_add_header("cookie", table.concat(kept, "; "))
        end
    end
end)
