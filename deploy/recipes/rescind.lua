-- http-request lua.rescind URL: asks Rescind about the token of a request and
-- leaves the answer in txn.rescind_*. Without an answer it sets nothing, and the
-- request is refused by haproxy.cfg.

-- Only these go to Rescind: the token, and what a request may ask of a check.
local asked = { "authorization", "rescind-version", "rescind-max-staleness" }

local answered = {
    ["www-authenticate"] = "txn.rescind_challenge",
    ["x-auth-issuer"] = "txn.rescind_issuer",
    ["x-auth-subject"] = "txn.rescind_subject",
    ["x-auth-session"] = "txn.rescind_session",
    ["x-auth-token-id"] = "txn.rescind_token_id",
}

core.register_action("rescind", { "http-req" }, function(txn, url)
    local sent, headers = txn.http:req_get_headers(), {}
    for _, name in ipairs(asked) do
        if sent[name] ~= nil then
            headers[name] = {}
            for _, value in pairs(sent[name]) do -- all: two tokens are refused
                table.insert(headers[name], value)
            end
        end
    end
    local answer = core.httpclient():get { url = url, headers = headers, timeout = 3000 }
    if answer == nil or answer.status == nil then
        return
    end
    for name, variable in pairs(answered) do
        local values = answer.headers[name]
        local value = values and (values[0] or values[1])
        if value ~= nil and value ~= "" then
            txn:set_var(variable, value)
        end
    end
    txn:set_var("txn.rescind_status", answer.status)
end, 1)
