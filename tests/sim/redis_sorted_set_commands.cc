// Sorted sets.
#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <optional>
#include <string>
#include <vector>

#include "tests/sim/redis_commands.h"

namespace toll::sim {

namespace {

constexpr std::string_view kNotRange = "ERR min or max is not a float";

int64_t count_of(size_t count) {
  return static_cast<int64_t>(count);
}

struct AddOptions {
  bool only_new = false;
  bool only_known = false;
  bool only_greater = false;
  bool only_less = false;
  bool counts_changed = false;
  bool increments = false;
};

// Returns the place of the first score.
size_t read_options(Call& call, AddOptions& options) {
  size_t at = 2;
  for (; at < call.words.size(); ++at) {
    const std::string_view word = call.words[at];
    if (is_word(word, "nx")) {
      options.only_new = true;
    } else if (is_word(word, "xx")) {
      options.only_known = true;
    } else if (is_word(word, "gt")) {
      options.only_greater = true;
    } else if (is_word(word, "lt")) {
      options.only_less = true;
    } else if (is_word(word, "ch")) {
      options.counts_changed = true;
    } else if (is_word(word, "incr")) {
      options.increments = true;
    } else {
      break;
    }
  }
  return at;
}

// What is wrong with the options, or "".
std::string_view fault(const AddOptions& options, size_t words_left) {
  if (words_left == 0 || words_left % 2 == 1) return kSyntaxError;
  if (options.only_new && options.only_known) {
    return "ERR XX and NX options at the same time are not compatible";
  }
  if (options.only_greater + options.only_less + options.only_new > 1) {
    return "ERR GT, LT, and/or NX options at the same time are not compatible";
  }
  if (options.increments && words_left > 2) {
    return "ERR INCR option supports a single increment-element pair";
  }
  return {};
}

struct Added {
  bool is_new = false;
  bool changed = false;
  std::optional<double> score;  // what it has now, unless nothing was to be done to it
};

// A score that is no number is the caller's to refuse.
Added add(SortedSet& set, const AddOptions& options, double score, std::string_view member) {
  const std::optional<double> old = set.score(member);
  if (!old) {
    if (options.only_known) return {};
    set.put(member, score);
    return {.is_new = true, .score = score};
  }
  if (options.only_new) return {};
  if (options.increments) score += *old;
  if (std::isnan(score)) return {.score = score};
  if ((options.only_less && score >= *old) || (options.only_greater && score <= *old)) return {};
  if (score == *old) return {.score = score};
  set.put(member, score);
  return {.changed = true, .score = score};
}

void reply_increment(Call& call, const Added& added) {
  if (!added.score) return call.reply.null_bulk();
  if (std::isnan(*added.score)) {
    return call.reply.error("ERR resulting score is not a number (NaN)");
  }
  call.reply.bulk(*added.score);
}

void zadd(Call& call) {
  AddOptions options;
  const size_t first = read_options(call, options);
  const std::string_view wrong = fault(options, call.words.size() - first);
  if (!wrong.empty()) return call.reply.error(wrong);
  std::vector<double> scores;
  scores.reserve((call.words.size() - first) / 2);
  for (size_t i = first; i < call.words.size(); i += 2) {
    const auto score = real_number(call.words[i]);
    if (!score) return call.reply.error(kNotReal);
    scores.push_back(*score);
  }
  SortedSet* set = nullptr;
  if (!find_value(call, call.words[1], set)) return;
  if (set == nullptr) {
    if (options.only_known) {
      return options.increments ? call.reply.null_bulk() : call.reply.integer(0);
    }
    set = find_or_make<SortedSet>(call, call.words[1]);
  }
  int64_t added = 0;
  int64_t changed = 0;
  for (size_t i = 0; i < scores.size(); ++i) {
    const Added done = add(*set, options, scores[i], call.words[first + 2 * i + 1]);
    if (options.increments) return reply_increment(call, done);
    added += done.is_new;
    changed += done.changed;
  }
  call.reply.integer(options.counts_changed ? added + changed : added);
}

void zrem(Call& call) {
  SortedSet* set = nullptr;
  if (!find_value(call, call.words[1], set)) return;
  if (set == nullptr) return call.reply.integer(0);
  const auto erase = [set](std::string_view member) { return set->erase(member); };
  call.reply.integer(std::ranges::count_if(call.words.subspan(2), erase));
  erase_if_empty(call, call.words[1], *set);
}

void zcard(Call& call) {
  SortedSet* set = nullptr;
  if (!find_value(call, call.words[1], set)) return;
  call.reply.integer(set == nullptr ? 0 : count_of(set->size()));
}

void reply_score(Reply& reply, const SortedSet* set, std::string_view member) {
  const auto score = set == nullptr ? std::nullopt : set->score(member);
  if (!score) return reply.null_bulk();
  reply.bulk(*score);
}

void zscore(Call& call) {
  SortedSet* set = nullptr;
  if (find_value(call, call.words[1], set)) reply_score(call.reply, set, call.words[2]);
}

void zmscore(Call& call) {
  SortedSet* set = nullptr;
  if (!find_value(call, call.words[1], set)) return;
  call.reply.array(call.words.size() - 2);
  for (const std::string_view member : call.words.subspan(2)) {
    reply_score(call.reply, set, member);
  }
}

// One end of a range of scores. "(5" is without the 5.
struct Bound {
  double score = 0;
  bool exclusive = false;
};

// As Redis reads it: also "" and what has blanks in front.
std::optional<Bound> bound(std::string_view word) {
  const bool exclusive = word.starts_with('(');
  const std::string terminated(word.substr(exclusive ? 1 : 0));
  char* end = nullptr;
  const double score = std::strtod(terminated.c_str(), &end);
  if (*end != '\0' || std::isnan(score)) return std::nullopt;
  return Bound{score, exclusive};
}

struct Scores {
  Bound min;
  Bound max;
};

std::optional<Scores> scores_at(Call& call, size_t min, size_t max) {
  const auto least = bound(call.words[min]);
  const auto most = least ? bound(call.words[max]) : std::nullopt;
  if (most) return Scores{*least, *most};
  call.reply.error(kNotRange);
  return std::nullopt;
}

PlaceRange places_of(const SortedSet& set, const Scores& scores) {
  const auto [min, max] = scores;
  const size_t first = min.exclusive ? set.up_to(min.score) : set.below(min.score);
  const size_t end = max.exclusive ? set.below(max.score) : set.up_to(max.score);
  return {first, end > first ? end - first : 0};
}

void zcount(Call& call) {
  const auto scores = scores_at(call, 2, 3);
  if (!scores) return;
  SortedSet* set = nullptr;
  if (!find_value(call, call.words[1], set)) return;
  call.reply.integer(set == nullptr ? 0 : count_of(places_of(*set, *scores).count));
}

void erase(Call& call, SortedSet& set, PlaceRange range) {
  set.erase_ranks(range.first, range.count);
  call.reply.integer(count_of(range.count));
  erase_if_empty(call, call.words[1], set);
}

void zremrangebyscore(Call& call) {
  const auto scores = scores_at(call, 2, 3);
  if (!scores) return;
  SortedSet* set = nullptr;
  if (!find_value(call, call.words[1], set)) return;
  if (set == nullptr) return call.reply.integer(0);
  erase(call, *set, places_of(*set, *scores));
}

void zremrangebyrank(Call& call) {
  const auto first = whole_number_at(call, 2);
  if (!first) return;
  const auto last = whole_number_at(call, 3);
  if (!last) return;
  SortedSet* set = nullptr;
  if (!find_value(call, call.words[1], set)) return;
  if (set == nullptr) return call.reply.integer(0);
  erase(call, *set, places(*first, *last, set->size()));
}

struct RangeOptions {
  bool with_scores = false;
  bool by_score = false;
  bool reversed = false;
  int64_t offset = 0;
  int64_t limit = -1;  // all
};

bool read_options(Call& call, RangeOptions& options, bool any) {
  for (size_t i = 4; i < call.words.size(); ++i) {
    const std::string_view word = call.words[i];
    if (is_word(word, "withscores")) {
      options.with_scores = true;
    } else if (is_word(word, "limit") && i + 2 < call.words.size()) {
      const auto offset = whole_number_at(call, i + 1);
      const auto limit = offset ? whole_number_at(call, i + 2) : std::nullopt;
      if (!limit) return false;
      options.offset = *offset;
      options.limit = *limit;
      i += 2;
    } else if (any && !options.reversed && is_word(word, "rev")) {
      options.reversed = true;
    } else if (any && !options.by_score && is_word(word, "byscore")) {
      options.by_score = true;
    } else {
      call.reply.error(kSyntaxError);
      return false;
    }
  }
  if (options.limit != -1 && !options.by_score) {
    call.reply.error(
        "ERR syntax error, LIMIT is only supported in combination with either BYSCORE or BYLEX");
    return false;
  }
  return true;
}

// `range` counts from the end if reversed.
void reply_members(Reply& reply, const SortedSet& set, PlaceRange range,
                   const RangeOptions& options) {
  reply.array(options.with_scores ? 2 * range.count : range.count);
  for (size_t i = range.first; i < range.first + range.count; ++i) {
    const SortedSet::Entry& entry = set.at(options.reversed ? set.size() - 1 - i : i);
    reply.bulk(entry.member);
    if (options.with_scores) reply.bulk(entry.score);
  }
}

PlaceRange limited(PlaceRange range, const RangeOptions& options) {
  if (options.offset < 0) return {};
  const size_t skipped = std::min(static_cast<size_t>(options.offset), range.count);
  range.first += skipped;
  range.count -= skipped;
  if (options.limit >= 0) {
    range.count = std::min(range.count, static_cast<size_t>(options.limit));
  }
  return range;
}

void range_by_score(Call& call, const RangeOptions& options) {
  const auto scores = options.reversed ? scores_at(call, 3, 2) : scores_at(call, 2, 3);
  if (!scores) return;
  SortedSet* set = nullptr;
  if (!find_value(call, call.words[1], set)) return;
  if (set == nullptr) return call.reply.array(0);
  PlaceRange range = places_of(*set, *scores);
  if (options.reversed) range.first = set->size() - range.first - range.count;
  reply_members(call.reply, *set, limited(range, options), options);
}

void range_by_rank(Call& call, const RangeOptions& options) {
  const auto first = whole_number_at(call, 2);
  if (!first) return;
  const auto last = whole_number_at(call, 3);
  if (!last) return;
  SortedSet* set = nullptr;
  if (!find_value(call, call.words[1], set)) return;
  if (set == nullptr) return call.reply.array(0);
  reply_members(call.reply, *set, places(*first, *last, set->size()), options);
}

void zrange(Call& call) {
  RangeOptions options;
  if (!read_options(call, options, true)) return;
  return options.by_score ? range_by_score(call, options) : range_by_rank(call, options);
}

void zrangebyscore(Call& call) {
  RangeOptions options{.by_score = true};
  if (read_options(call, options, false)) range_by_score(call, options);
}

constexpr std::array kSortedSetCommands{
    Command{"zadd", -4, kWrite | kDenyOom, zadd},
    Command{"zcard", 2, 0, zcard},
    Command{"zcount", 4, 0, zcount},
    Command{"zmscore", -3, 0, zmscore},
    Command{"zrange", -4, 0, zrange},
    Command{"zrangebyscore", -4, 0, zrangebyscore},
    Command{"zrem", -3, kWrite, zrem},
    Command{"zremrangebyrank", 4, kWrite, zremrangebyrank},
    Command{"zremrangebyscore", 4, kWrite, zremrangebyscore},
    Command{"zscore", 3, 0, zscore},
};

}  // namespace

std::span<const Command> sorted_set_commands() {
  return kSortedSetCommands;
}

}  // namespace toll::sim
