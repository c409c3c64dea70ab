/* SPDX-License-Identifier: Apache-2.0 */
#pragma once
/* limit_script.h - what Redis does for one request, in Lua: limit_rule.c once more, for several
 * limits at once.
 *
 * KEYS: one for each limit. ARGV: four for each: "r", the interval and how far the number may be
 * ahead, both in microseconds; or "q", the quota and its window's end in seconds from now; then "1"
 * in shadow mode. The answer: does all pass; then for each limit whether it would, and its number
 * afterwards: microseconds ahead of the clock, or the count.
 *
 * Times are counted from 2023-11-14 on, so that a double holds them to a 64th of a microsecond. */
static const char limit_script[] =
    "local time = redis.call('TIME')\n"
    "local now = (tonumber(time[1]) - 1700000000) * 1000000 + tonumber(time[2])\n"
    "local all, old, new, passes, answer = 1, {}, {}, {}, {}\n"
    "for i, key in ipairs(KEYS) do\n"
    "    local a, b = tonumber(ARGV[4 * i - 2]), tonumber(ARGV[4 * i - 1])\n"
    "    old[i] = tonumber(redis.call('GET', key) or 0) or 0\n"
    "    if ARGV[4 * i - 3] == 'r' then\n"
    "        old[i] = math.min(math.max(old[i], now), now + b)\n"
    "        new[i] = old[i] + a\n"
    "        passes[i] = new[i] <= now + b + 0.01\n"
    "    else\n"
    "        new[i] = old[i] + 1\n"
    "        passes[i] = new[i] <= a\n"
    "    end\n"
    "    if not passes[i] and ARGV[4 * i] ~= '1' then all = 0 end\n"
    "end\n"
    "for i, key in ipairs(KEYS) do\n"
    "    local number = old[i]\n"
    "    local rate = ARGV[4 * i - 3] == 'r'\n"
    "    if all == 1 and passes[i] then\n"
    "        number = new[i]\n"
    "        if rate then\n"
    "            redis.call('SET', key, string.format('%.3f', number), 'PX',\n"
    "                       string.format('%d', math.ceil((number - now) / 1000) + 1))\n"
    "        else\n"
    "            redis.call('SET', key, string.format('%d', number), 'EX', ARGV[4 * i - 1])\n"
    "        end\n"
    "    end\n"
    "    answer[2 * i] = passes[i] and 1 or 0\n"
    "    answer[2 * i + 1] = rate and math.max(math.floor(number - now), 0) or number\n"
    "end\n"
    "answer[1] = all\n"
    "return answer\n";
