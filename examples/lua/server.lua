-- A small web server in Lua with LuaSocket: one loop, a coroutine for each connection, and a page of checks.
--
-- GET /hello     a line of text
-- POST /sum      Adler-32 of the body
-- GET /check     what Lua and LuaSocket do here, a line for each part
-- GET /refused   what a machine of one process refuses
local socket = require 'socket'
local url = require 'socket.url'
local mime = require 'mime'

local checks = {}

function checks.coroutines()
    local squares = coroutine.wrap(function() for n = 1, 100 do coroutine.yield(n * n) end end)
    local sum = 0
    for n in squares do sum = sum + n end
    return sum
end

function checks.files()
    local name = os.tmpname()
    local f <close> = assert(io.open(name, 'w+'))
    for n = 1, 1000 do f:write('line ', n, '\n') end
    f:seek('set', 0)
    local count, last = 0, nil
    for line in f:lines() do count, last = count + 1, line end
    assert(os.rename(name, name .. '.new'))
    assert(os.remove(name .. '.new'))
    return ('%d %s %s'):format(count, last, select(2, io.open(name)):match(': (.*)'))
end

function checks.tcp()
    local server = assert(socket.bind('127.0.0.1', 0))
    local _, port = server:getsockname()
    local client = assert(socket.connect('127.0.0.1', port))
    local peer = assert(server:accept())
    client:send('there\n')
    peer:send(peer:receive():upper() .. '\n')
    return client:receive()
end

function checks.udp()
    local a, b = assert(socket.udp4()), assert(socket.udp4())
    assert(a:setsockname('127.0.0.1', 0))
    local _, port = a:getsockname()
    assert(b:sendto('datagram', '127.0.0.1', port))
    return (a:receivefrom())
end

function checks.timeout()
    local server = assert(socket.bind('127.0.0.1', 0))
    server:settimeout(0.05)
    local began, _, why = socket.gettime(), server:accept()
    return ('%s %s'):format(why, socket.gettime() - began >= 0.04)
end

function checks.resolve() return (socket.dns.toip('localhost')) end
function checks.mime() return (mime.unb64((mime.b64(('text '):rep(50))))):len() end
function checks.url() return url.parse('http://u@h:80/p?q#f').port end
function checks.numbers() return ('%d %.3f %s'):format(7 // 2, 2 ^ 0.5, math.maxinteger + 1 == math.mininteger) end
function checks.errors() return select(2, pcall(error, { code = 7 })).code end
function checks.garbage()
    for n = 1, 200000 do local _ = { n } end
    collectgarbage()
    return collectgarbage('count') < 4096
end

local function check()
    local names, out = {}, {}
    for name in pairs(checks) do names[#names + 1] = name end
    table.sort(names)
    for i, name in ipairs(names) do
        local good, answer = pcall(checks[name])
        out[i] = ('%s: %s%s\n'):format(name, good and '' or 'FAILED ', tostring(answer))
    end
    return table.concat(out)
end

local function refused()
    local _, why, errno = os.execute('true')
    return ('execute: %s %d\npopen: %s\n'):format(why, errno, io.popen('true'))
end

local function adler32(text)
    local a, b = 1, 0
    for i = 1, #text do
        a = (a + text:byte(i)) % 65521
        b = (b + a) % 65521
    end
    return ('%08x\n'):format(b << 16 | a)
end

-- Connections wait here, each with the coroutine that goes on when it can.
local waiting = {}

local function receive(client, what)
    local text, why, part
    while true do
        text, why, part = client:receive(what, part)
        if text or why ~= 'timeout' then return text end
        coroutine.yield()
    end
end

local function send(client, text)
    local from, done, why = 1, nil, nil
    repeat
        done, why, from = client:send(text, from)
        if done then return true end
        from = from + 1
        coroutine.yield()
    until why ~= 'timeout'
end

local function connection(client)
    while true do
        local first = receive(client, '*l')
        if not first then return end
        local len = 0
        for line in function() return receive(client, '*l') end do
            if line == '' then break end
            len = tonumber(line:lower():match('^content%-length:%s*(%d+)')) or len
            if line:lower() == 'expect: 100-continue' then send(client, 'HTTP/1.1 100 Continue\r\n\r\n') end
        end
        local body = len > 0 and receive(client, len) or ''
        local path, status, text = first:match('^%u+ (%S+)'), '200 OK', nil
        if path == '/hello' then text = 'hello from Lua\n'
        elseif path == '/sum' then text = adler32(body)
        elseif path == '/check' then text = check()
        elseif path == '/refused' then text = refused()
        else status, text = '404 Not Found', 'nothing here\n' end
        if not send(client, ('HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s'):format(status, #text, text)) then return end
    end
end

local listener = assert(socket.bind('0.0.0.0', tonumber(arg[1] or 8080), 128))
listener:settimeout(0)
print('ready')
io.stdout:flush()
while true do
    local list = { listener }
    for client in pairs(waiting) do list[#list + 1] = client end
    for _, ready in ipairs((socket.select(list, nil))) do
        if ready == listener then
            local client = listener:accept()
            if client then
                client:settimeout(0)
                client:setoption('tcp-nodelay', true)
                waiting[client] = coroutine.create(function() connection(client) end)
            end
        else
            local good, why = coroutine.resume(waiting[ready])
            if not good then io.stderr:write(tostring(why), '\n') end
            if coroutine.status(waiting[ready]) == 'dead' then
                waiting[ready] = nil
                ready:close()
            end
        end
    end
end
