// Random commands for a Redis, right and wrong, over a few keys so that types collide.
//
// What expires does so long before or long after any run: so it does not matter when a command
// comes.
#pragma once

#include <array>
#include <cctype>
#include <cstddef>
#include <cstdint>
#include <random>
#include <span>
#include <string>
#include <string_view>

#include "tests/sim/redis_real.h"

namespace toll::sim {

class RandomCommands {
 public:
  explicit RandomCommands(uint64_t seed) : random_(seed) {}

  int64_t between(int64_t least, int64_t most) {
    return std::uniform_int_distribution<int64_t>(least, most)(random_);
  }
  bool chance(int percent) { return between(1, 100) <= percent; }

  Words next() {
    Words words = fill(pick<std::string_view>(kForms));
    if (chance(6)) spoil(words);
    for (char& c : words[0]) {
      if (chance(20)) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
    }
    return words;
  }

 private:
  // Words in small letters stand for what fill() makes of them; those behind a ? come or do not,
  // those behind a * several times.
  static constexpr std::array<std::string_view, 65> kForms{
      "SET key value ?setoption ?setoption ?setoption",
      "SET key whole ?setoption",
      "SET key whole",
      "GET key",
      "MGET key *key",
      "INCRBY key whole",
      "INCR key",
      "DECR key",
      "DECRBY key whole",
      "STRLEN key",
      "DEL key *key",
      "UNLINK key",
      "EXISTS key *key",
      "TYPE key",
      "EXPIRE key relative ?when ?when",
      "PEXPIRE key relative ?when",
      "EXPIREAT key seconds ?when",
      "PEXPIREAT key absolute ?when ?when",
      "TTL key",
      "PTTL key",
      "PEXPIRETIME key",
      "EXPIRETIME key",
      "PERSIST key",
      "KEYS glob",
      "ZADD key ?addoption ?addoption score member *pair",
      "ZADD key score member *pair",
      "ZADD key INCR ?addoption score member",
      "ZREM key member *member",
      "ZCARD key",
      "ZSCORE key member",
      "ZMSCORE key member *member",
      "ZCOUNT key bound bound",
      "ZRANGE key place place ?rangeoption ?rangeoption",
      "ZRANGE key place place ?WITHSCORES",
      "ZRANGE key bound bound BYSCORE ?rangeoption ?rangeoption",
      "ZRANGEBYSCORE key bound bound ?WITHSCORES ?limit",
      "ZRANGEBYSCORE key bound bound ?limit ?WITHSCORES",
      "ZREMRANGEBYSCORE key bound bound",
      "ZREMRANGEBYRANK key place place",
      "LPUSH key value *value",
      "RPUSH key value *value",
      "LPOP key ?place",
      "LPOP key",
      "LRANGE key place place",
      "LTRIM key place place",
      "LLEN key",
      "LMOVE key key end end",
      "SADD key member *member",
      "SADD key member *member",
      "SREM key member *member",
      "SMEMBERS key",
      "HSET key field value *fieldpair",
      "HGET key field",
      "HMGET key field *field",
      "HGETALL key",
      "HLEN key",
      "HINCRBY key field whole",
      "HSET key field whole",
      "HDEL key field *field",
      "PING ?value",
      "ECHO value",
      "SELECT place",
      "PUBLISH key value",
      "NOSUCH key value",
      "CLIENT GETNAME",
  };

  template <typename Text>
  std::string pick(std::span<const Text> texts) {
    return std::string(texts[static_cast<size_t>(between(0, std::ssize(texts) - 1))]);
  }
  template <size_t kSize>
  std::string pick(const std::array<std::string_view, kSize>& texts) {
    return pick<std::string_view>(std::span(texts));
  }

  Words fill(std::string_view form) {
    Words words;
    while (!form.empty()) {
      const size_t end = std::min(form.find(' '), form.size());
      std::string_view part = form.substr(0, end);
      form.remove_prefix(std::min(end + 1, form.size()));
      const bool maybe = part.starts_with('?');
      const bool several = part.starts_with('*');
      if (maybe || several) part.remove_prefix(1);
      int64_t times = 1;
      if (maybe) times = between(0, 1);
      if (several) times = chance(50) ? 0 : between(0, 4);
      for (int64_t i = 0; i < times; ++i) add(words, part);
    }
    return words;
  }

  void add(Words& words, std::string_view part) {
    if (part == "pair") {
      words.insert(words.end(), {score(), member()});
    } else if (part == "fieldpair") {
      words.insert(words.end(), {member(), value()});
    } else if (part == "limit") {
      words.insert(words.end(), {"LIMIT", word("place"), word("place")});
    } else if (part == "setoption") {
      add_set_option(words);
    } else if (part == "rangeoption") {
      const std::string option = pick(kRangeOptions);
      add(words, option == "LIMIT" ? "limit" : option);
    } else {
      words.push_back(word(part));
    }
  }

  void add_set_option(Words& words) {
    const std::string option = pick(kSetOptions);
    words.push_back(option);
    if (option == "EX" || option == "PX") words.push_back(word("relative"));
    if (option == "EXAT") words.push_back(word("seconds"));
    if (option == "PXAT") words.push_back(word("absolute"));
  }

  std::string word(std::string_view part) {
    if (part == "key") return "k" + std::to_string(between(0, 7));
    if (part == "member" || part == "field") return member();
    if (part == "value") return value();
    if (part == "score") return score();
    if (part == "whole") return chance(80) ? std::to_string(between(-20, 20)) : pick(kNumbers);
    if (part == "place") return chance(92) ? std::to_string(between(-8, 8)) : pick(kNumbers);
    if (part == "bound") return chance(30) ? "(" + score() : score();
    if (part == "end") return pick(kEnds);
    if (part == "when") return pick(kWhen);
    if (part == "addoption") return pick(kAddOptions);
    if (part == "glob") return pick(kGlobs);
    // Months from now at least, or past, or wrong. In milliseconds, seconds, and either.
    if (part == "absolute") return chance(70) ? pick(kFutureMs) : pick(kOddTimes);
    if (part == "seconds") return chance(70) ? pick(kFutureSeconds) : pick(kOddTimes);
    if (part == "relative") return chance(70) ? long_time() : pick(kOddTimes);
    return std::string(part);
  }

  // Each far from all others, so that which is later does not hang on when it was said.
  std::string long_time() { return std::to_string(10'000'000'000 + ++long_times_ * 1'000'000); }

  std::string member() {
    if (chance(3)) return {"\0a\r\n\xff", 5};
    return "m" + std::to_string(between(0, 9));
  }
  std::string value() {
    if (chance(50)) return std::to_string(between(-5, 30));
    return chance(80) ? pick(kValues) : std::string(static_cast<size_t>(between(0, 60)), 'x');
  }
  std::string score() {
    if (chance(75)) return std::to_string(between(-9, 9));
    return chance(60) ? std::to_string(between(-90, 90)) + ".5" : pick(kScores);
  }

  // Takes a word away, adds one, or puts one in the place of another. None is a small number, which
  // might become a short life.
  void spoil(Words& words) {
    const auto at = words.begin() + between(0, std::ssize(words) - 1);
    const int64_t how = between(0, 2);
    if (how == 0 && words.size() > 1) words.erase(std::max(at, words.begin() + 1));
    if (how == 1) words.insert(at + 1, pick(kSpoilers));
    if (how == 2) *at = pick(kSpoilers);
  }

  static constexpr std::array<std::string_view, 9> kSetOptions{
      "NX", "XX", "GET", "KEEPTTL", "EX", "PX", "EXAT", "PXAT", "PXAT"};
  static constexpr std::array<std::string_view, 3> kEnds{"LEFT", "RIGHT", "right"};
  static constexpr std::array<std::string_view, 4> kWhen{"NX", "XX", "GT", "LT"};
  static constexpr std::array<std::string_view, 6> kAddOptions{"NX", "XX", "GT",
                                                               "LT", "CH", "INCR"};
  static constexpr std::array<std::string_view, 4> kRangeOptions{"WITHSCORES", "REV", "LIMIT",
                                                                 "BYSCORE"};
  static constexpr std::array<std::string_view, 9> kGlobs{
      "*", "k?", "k[1-3]", "k[^1-3]", "k\\1", "[k]*[0]", "", "k*1", "k[5-"};
  static constexpr std::array<std::string_view, 10> kNumbers{"9223372036854775807",
                                                             "-9223372036854775808",
                                                             "9223372036854775808",
                                                             "+1",
                                                             "01",
                                                             "-0",
                                                             "1.0",
                                                             " 1",
                                                             "",
                                                             "0x10"};
  static constexpr std::array<std::string_view, 13> kScores{
      "inf",   "-inf",  "+inf",   "Infinity",         "nan", "", " 1", "1e3",
      "0x1p3", "1e400", "1e-400", "9007199254740993", "0.1"};
  static constexpr std::array<std::string_view, 8> kValues{
      "", "text", "1.5", "9223372036854775807", "-9223372036854775808", "a b", "\r\n", "OK"};
  static constexpr std::array<std::string_view, 3> kFutureMs{"4102444800000", "4202444800123",
                                                             "9007199254740991"};
  static constexpr std::array<std::string_view, 3> kFutureSeconds{"4102444801", "4202444801",
                                                                  "9007199254740"};
  static constexpr std::array<std::string_view, 8> kOddTimes{
      "0", "-1", "-100000000", "9223372036854775807", "-9223372036854775808", "1.5", "x", ""};
  static constexpr std::array<std::string_view, 16> kSpoilers{
      "",    "x",  "-1", "0",   "9223372036854775807", "1.5",   "(5", "nan",
      "inf", "NX", "XX", "GET", "WITHSCORES",          "LIMIT", "k1", "KEEPTTL"};

  std::mt19937_64 random_;
  int64_t long_times_ = 0;
};

}  // namespace toll::sim
