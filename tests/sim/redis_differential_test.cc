// The simulated Redis answers as a real one does, byte for byte.
#include <algorithm>
#include <array>
#include <gtest/gtest.h>
#include <iostream>
#include <string>
#include <string_view>
#include <vector>

#include "tests/sim/redis_both.h"
#include "tests/sim/redis_commands.h"
#include "tests/sim/redis_random_commands.h"
#include "tests/unit/seed.h"

namespace toll::sim {
namespace {

constexpr int kCommands = 40'000;

class RedisDifferential : public Both {};

TEST_F(RedisDifferential, RandomCommandsAreAnsweredAlike) {
  const uint64_t seed = test_seed(5);
  std::cout << "TOLL_SEED=" << seed << '\n';
  RandomCommands random(seed);
  int errors = 0;
  for (int i = 0; i < kCommands && !HasFailure(); ++i) {
    Words words = random.next();
    if (random.chance(25)) {
      const std::string script = random.chance(80) ? "return redis.pcall(unpack(ARGV))"
                                                   : "return redis.call(unpack(ARGV))";
      words.insert(words.begin(), {"EVAL", script, "0"});
    }
    compare(words);
    // A look at what there is now.
    if (random.chance(2)) compare({"KEYS", "*"});
    errors += simulated({"TYPE", "k1"}) == "+none\r\n";
  }
  EXPECT_LT(errors, kCommands / 2);
}

TEST_F(RedisDifferential, CommandsHaveTheirArityAndFlags) {
  constexpr std::array<std::pair<std::string_view, uint32_t>, 7> kFlags{{
      {"write", kWrite},
      {"denyoom", kDenyOom},
      {"noscript", kNoScript},
      {"loading", kLoading},
      {"stale", kStale},
      {"allow_busy", kAllowBusy},
      {"no_auth", kNoAuth},
  }};
  for (const Command* const command : all_commands()) {
    const std::string reply = real({"COMMAND", "INFO", std::string(command->name)});
    const std::vector<std::string> about = elements(elements(reply).at(0));
    ASSERT_GT(about.size(), 2u) << command->name;
    EXPECT_EQ(about[1], ":" + std::to_string(command->arity) + "\r\n") << command->name;
    if (command->has(kContainer)) continue;
    for (const auto& [name, flag] : kFlags) {
      EXPECT_EQ(command->has(static_cast<CommandFlag>(flag)),
                about[2].contains("+" + std::string(name) + "\r\n"))
          << command->name << " " << name;
    }
  }
}

TEST_F(RedisDifferential, ConnectionsAreServedAlike) {
  const std::vector<std::vector<Words>> dialogues{
      {{"AUTH"},
       {"AUTH", "x"},
       {"AUTH", "default", "x"},
       {"AUTH", "a", "b"},
       {"AUTH", "a", "b", "c"}},
      {{"HELLO", "x"}, {"HELLO", "4"}, {"HELLO", "2", "AUTH", "a", "b"}, {"HELLO", "2", "SETNAME"}},
      {{"HELLO", "2", "NOSUCH"}, {"HELLO", "2", "SETNAME", "a b"}},
      {{"CLIENT"},
       {"CLIENT", "NOSUCH"},
       {"CLIENT", "SETINFO", "lib-name", "x"},
       {"CLIENT", "ID", "x"}},
      {{"CLIENT", "GETNAME"}, {"CLIENT", "SETNAME", "a"}, {"client", "getname"}, {"RESET"}},
      {{"CLIENT", "SETNAME", "a b"}, {"CLIENT", "SETNAME", ""}, {"CLIENT", "GETNAME"}},
      {{"CLIENT", "NO-EVICT", "on"}, {"CLIENT", "NO-EVICT", "x"}, {"CLIENT", "no-evict", "OFF"}},
      {{"SELECT", "15"},
       {"SET", "a", "b"},
       {"DBSIZE"},
       {"SELECT", "0"},
       {"DBSIZE"},
       {"FLUSHDB", "x"}},
      {{"SELECT", "15"}, {"FLUSHDB"}, {"DBSIZE"}, {"FLUSHALL", "SYNC"}, {"FLUSHALL", "x", "y"}},
      {{"SELECT", "16"}, {"SELECT", "-1"}, {"SELECT", "x"}, {"SELECT", "9223372036854775807"}},
      {{"SCRIPT"}, {"SCRIPT", "NOSUCH"}, {"SCRIPT", "LOAD"}, {"SCRIPT", "FLUSH", "x"}},
      {{"SUBSCRIBE", "a", "b", "a"},
       {"GET", "a"},
       {"EVAL", "return 1", "0"},
       {"PUBLISH", "a", "b"}},
      {{"SUBSCRIBE", "a"}, {"PING"}, {"PING", "x"}, {"UNSUBSCRIBE", "b", "a"}, {"GET", "a"}},
      {{"UNSUBSCRIBE"}, {"SUBSCRIBE", "a"}, {"UNSUBSCRIBE"}, {"PING"}, {"UNSUBSCRIBE", "a"}},
      {{"SUBSCRIBE", "a"}, {"CLIENT", "ID"}, {"RESET"}, {"GET", "a"}, {"SUBSCRIBE"}},
      {{"NOSUCH", "a\r\nb", std::string("c\0d", 3), std::string(200, 'x'), "e"},
       {std::string(200, 'y')}},
      {{"NOSUCH"}, {""}, {"client|id"}, {"QUIT"}, {"PING"}},
      {{"QUIT", "x"}},
  };
  for (const std::vector<Words>& dialogue : dialogues) {
    connect();
    for (const Words& words : dialogue) compare_bytes(request(words));
  }
}

TEST_F(RedisDifferential, APasswordIsWantedAlike) {
  real({"CONFIG", "SET", "requirepass", "secret"});
  server_.set_password("secret");
  // Who was there before goes on.
  compare({"GET", "a"});
  const std::vector<std::vector<Words>> dialogues{
      {{"GET", "a"},
       {"PING"},
       {"NOSUCH"},
       {"GET"},
       {"AUTH", "wrong"},
       {"AUTH", "secret"},
       {"PING"}},
      {{"AUTH", "default", "wrong"}, {"AUTH", "other", "secret"}, {"AUTH", "default", "secret"}},
      {{"AUTH", "secret"}, {"GET", "a"}, {"RESET"}, {"GET", "a"}},
      {{"HELLO"}, {"HELLO", "2"}, {"HELLO", "2", "AUTH", "default", "wrong"}, {"QUIT"}},
  };
  for (const std::vector<Words>& dialogue : dialogues) {
    connect();
    for (const Words& words : dialogue) compare_bytes(request(words));
  }
  connect();
  compare_bytes("*11\r\n");
  connect();
  compare_bytes("*2\r\n$3\r\nGET\r\n$16385\r\n");
}

TEST_F(RedisDifferential, BrokenRequestsAreRefusedAlike) {
  for (const std::string& bytes : {
           std::string("*x\r\n"),
           std::string("*1\r\n:1\r\n"),
           std::string("*1\r\n$x\r\n"),
           std::string("*1\r\n$-1\r\n"),
           std::string("*1\r\n$+4\r\nPING\r\n"),
           std::string("*2147483648\r\n"),
           std::string("*01\r\n"),
           std::string("*\r\n"),
           std::string("*1\r\n$536870913\r\n"),
           std::string("*0\r\n"),
           std::string("*-5\r\n"),
           std::string("\r\n"),
           std::string("PING\r\n"),
           std::string("  ping   x \n"),
           std::string("GET a b c\r\n"),
           std::string("*1\r\n$4\r\nPING\r\n*1\r\nPING\r\n"),
           std::string("*1\r\n") + std::string(70'000, '1'),
           "*" + std::string(70'000, '1'),
           std::string(70'000, 'x'),
           std::string("*1\r\n$4\r\nPINGxx"),
       }) {
    connect();
    compare_bytes(bytes);
  }
}

const std::string_view kScripts[] = {
    "return 1.9",
    "return -1.9",
    "return 2^53",
    "return 2^70",
    "return 0/0",
    "return 'text'",
    "return true",
    "return false",
    "return nil",
    "return",
    "return {}",
    "return {1, nil, 3}",
    "return {1, {2, 'x', {false, true}}, 3.7}",
    "return {ok = 'fine'}",
    "return {ok = 'a\\nb'}",
    "return {err = 'ERR bad'}",
    "return {err = 'bad\\r\\nly'}",
    "return {err = 5}",
    "return {ok = 5, 1}",
    "return redis.status_reply('fine')",
    "return redis.status_reply(5)",
    "return redis.error_reply('bad')",
    "return redis.error_reply('-MY bad thing')",
    "return redis.error_reply('MY bad')",
    "return redis.error_reply()",
    "return print",
    "return redis.sha1hex('')",
    "return redis.sha1hex(string.rep('x', 119))",
    "return redis.sha1hex()",
    "return KEYS[1] .. ARGV[2] .. #KEYS .. #ARGV",
    "return x",
    "x = 1",
    "KEYS = {}",
    "function f() end",
    "local t = x.y",
    "return nil + 1",
    "error('bad')",
    "\n\nerror('bad', 2)",
    "error({err = 'MY bad'})",
    "error()",
    "error(5)",
    "return pcall(error, {err = 'MY bad'})",
    "return {pcall(error, {err = 'MY bad'})}",
    "return {pcall(redis.call, 'INCRBY', 'h', 1)}",
    "return {pcall(error, 'x')}",
    "return redis.call('GET', 'h')",
    "return redis.pcall('GET', 'h')",
    "\nlocal reply = redis.pcall('GET', 'h')\nreturn reply.err",
    "return redis.call()",
    "return redis.call('NOSUCH')",
    "return redis.pcall('NOSUCH')",
    "return redis.call('GET')",
    "return redis.call('GET', {})",
    "return redis.call('ECHO', nil)",
    "return redis.call('SET', 'n', 3)",
    "return redis.call('ECHO', 0.1)",
    "return redis.call('ECHO', 2^60)",
    "return redis.call('EVAL', 'return 1', '0')",
    "return redis.call('SUBSCRIBE', 'a')",
    "return redis.call('MGET', 's', 'none', 'h')",
    "return redis.call('CLIENT', 'ID')",
    "return redis.call('SCRIPT', 'NOSUCH')",
    "return redis.call('ZRANGE', 'z', 0, -1, 'WITHSCORES')",
    "return redis.call('HGETALL', 'h')",
    "return redis.call('GET', 'none')",
    "return redis.call('GET', 'none') == false",
    "return redis.call('LPOP', 'none', 2)",
    "return redis.call('PING').ok",
    "return _G.x",
    "return type(_G) .. type(string) .. type(cmsgpack) .. type(table) .. type(math)",
    "local function f() return f() + 1 end return f()",
    "return (",
    "return 1 1",
    "return {unpack({1, 2, 3}, 2)}",
    "return string.format('%.14g|%d', 0.1, 2^53)",
    "return tostring(1e15) .. tostring(2^53)",
    "return redis.call('SELECT', '3')",
    "redis.call('SELECT', '3') return redis.call('DBSIZE')",
    "redis.call('SET', 'w', 'x') return redis.call('GET', 'h')",
};

TEST_F(RedisDifferential, ScriptsAreRunAlike) {
  const std::string fill =
      "redis.call('ZADD', 'z', 1, 'a', 2.5, 'b') "
      "redis.call('HSET', 'h', 'f', 'v') redis.call('SET', 's', 'text') ";
  for (const std::string_view body : kScripts) {
    compare({"EVAL", fill + std::string(body), "1", "key", "one", "two"});
    compare({"DBSIZE"});
    compare({"DEL", "w"});
  }
}

TEST_F(RedisDifferential, ScriptsAreKnownAlike) {
  const std::string digest = "e0e1f9fabfc9d4800c877a703b823ac0578ff8db";
  for (const Words& words : std::vector<Words>{
           {"EVALSHA", digest, "0"},
           {"EVALSHA", "short", "0"},
           {"SCRIPT", "LOAD", "return 1"},
           {"EVALSHA", digest, "0"},
           {"EVALSHA", "E0E1F9FABFC9D4800C877A703B823AC0578FF8DB", "0"},
           {"SCRIPT", "EXISTS", digest, "x"},
           {"EVALSHA", digest, "1"},
           {"EVALSHA", digest, "-1"},
           {"EVALSHA", digest, "x"},
           {"SCRIPT", "FLUSH"},
           {"EVALSHA", digest, "0"},
           {"SCRIPT", "LOAD", "return ("},
           {"SCRIPT", "LOAD", "#!lua\nreturn ("},
           {"EVAL", "#!lua\n\nreturn nosuch", "0"},
           {"EVAL", "#!lua", "0"},
           {"EVAL", "#!", "0"},
           {"EVAL", "#!\nreturn 1", "0"},
           {"EVAL", "#!python\nreturn 1", "0"},
           {"EVAL", "#!lua name=x\nreturn 1", "0"},
           {"EVAL", "#!lua  flags=no-writes,allow-oom,\nreturn 1", "0"},
           {"EVAL", "#!lua flags=no-writes flags=nosuch\nreturn 1", "0"},
           {"EVAL", "#!lua flags=\nreturn 1", "0"},
       }) {
    compare(words);
  }
}

const std::string_view kValues[] = {
    "0",
    "127",
    "128",
    "255",
    "256",
    "65535",
    "65536",
    "4294967295",
    "4294967296",
    "2^53",
    "2^63",
    "2^64",
    "-1",
    "-32",
    "-33",
    "-128",
    "-129",
    "-32768",
    "-32769",
    "-2147483648",
    "-2147483649",
    "-2^53",
    "-2^63",
    "0.5",
    "0.1",
    "1e300",
    "1/0",
    "-1/0",
    "0/0",
    "-0",
    "''",
    "string.rep('x', 31)",
    "string.rep('x', 32)",
    "string.rep('x', 255)",
    "string.rep('x', 256)",
    "string.rep('x', 65536)",
    "'\\0\\255'",
    "true",
    "false",
    "nil",
    "{}",
    "{1, 'a', false}",
    "{1, nil, 3}",
    "{[1] = 1, [3] = 3}",
    "{[0] = 1}",
    "{a = {b = {}}}",
    "{[1.5] = 1}",
    "{1, 2, x = 3}",
    "print",
    "1, 2, 'x'",
    "",
    "redis.call",
    "(function() local t = {} for i = 1, 20 do t[i] = i end return t end)()",
    "(function() local t = {} for i = 1, 70000 do t[i] = i end return t end)()",
    "(function() local t = {} for i = 1, 30 do t = {t} end return t end)()",
};

const std::string kPacked[] = {
    std::string("\x93\x01\x02", 3),
    std::string("\xc1"),
    std::string("\xc7"),
    std::string(),
    std::string("\xcc"),
    std::string("\xa5"
                "abc"),
    std::string("\x01\x02\x03"),
    std::string("\xdd\xff\xff\xff\xff\x01"),
    std::string("\x81\xc0\x01"),
    std::string("\xd9\x02"
                "ab"),
    std::string("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"),
    std::string("\xd0\x80"),
    std::string("\xc4\x00", 2),
};

TEST_F(RedisDifferential, ScriptsPackAlike) {
  for (const std::string_view value : kValues) {
    compare({"EVAL", "return cmsgpack.pack(" + std::string(value) + ")", "0"});
    compare({"EVAL",
             "local value = cmsgpack.unpack(cmsgpack.pack(" + std::string(value) +
                 ")) return type(value) == 'number' and string.format('%.17g', value) or value",
             "0"});
  }
  for (const std::string& bytes : kPacked) {
    compare({"EVAL", "return {cmsgpack.unpack(ARGV[1])}", "0", bytes});
  }
}

}  // namespace
}  // namespace toll::sim
