// The keys of a simulated Redis: strings, lists, sets, hashes and sorted sets, each with an expiry
// or none.
//
// A key whose time is up does not exist: it is not found, not counted, and goes at the next touch
// or sweep. The time is handed in. What comes out in an order comes out in one that depends on what
// was done alone: names and members of a set sorted, fields of a hash as they were first set,
// members of a sorted one by score and name.
//
// A copy is a snapshot. One thread.
#pragma once

#include <cstddef>
#include <cstdint>
#include <deque>
#include <ext/pb_ds/assoc_container.hpp>
#include <ext/pb_ds/tree_policy.hpp>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <unordered_map>
#include <utility>
#include <variant>
#include <vector>

namespace toll::sim {

// Looks up a std::string by a view of one.
struct TextHash {
  using is_transparent = void;  // NOLINT(readability-identifier-naming): a name of the library
  size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
};
template <typename Value>
using TextMap = std::unordered_map<std::string, Value, TextHash, std::equal_to<>>;

// A sorted set: members, each once, by score and then by their bytes. Ranks count from 0.
class SortedSet {
 public:
  struct Entry {
    double score;
    std::string member;
    bool operator<(const Entry& other) const {
      return score != other.score ? score < other.score : member < other.member;
    }
  };

  size_t size() const { return scores_.size(); }
  std::optional<double> score(std::string_view member) const;
  // Adds the member or moves it; whether it was not there.
  bool put(std::string_view member, double score);
  bool erase(std::string_view member);
  // So many from that rank on. REQUIRES: they are there.
  void erase_ranks(size_t first, size_t count);

  // REQUIRES: rank < size().
  const Entry& at(size_t rank) const { return *order_.find_by_order(rank); }
  // How many have a lower score; and how many one that is lower or the same.
  size_t below(double score) const;
  size_t up_to(double score) const;

 private:
  // A set that also knows the rank of what is in it.
  using Order = __gnu_pbds::tree<Entry, __gnu_pbds::null_type, std::less<>, __gnu_pbds::rb_tree_tag,
                                 __gnu_pbds::tree_order_statistics_node_update>;
  TextMap<double> scores_;
  Order order_;
};

// A hash, whose fields come out in the order in which they were first set.
class Hash {
 public:
  size_t size() const { return fields_.size(); }
  const std::string* find(std::string_view field) const;
  // Whether it was not there.
  bool put(std::string_view field, std::string_view value);
  bool erase(std::string_view field);
  std::vector<std::pair<std::string_view, std::string_view>> in_order() const;

 private:
  struct Field {
    std::string value;
    uint64_t place;
  };
  TextMap<Field> fields_;
  uint64_t next_place_ = 0;
};

using List = std::deque<std::string>;
using Set = std::set<std::string, std::less<>>;
using Value = std::variant<std::string, List, Hash, SortedSet, Set>;

// As TYPE calls it.
std::string_view type_name(const Value& value);

struct Key {
  static constexpr int64_t kNever = -1;

  Value value;
  int64_t expires_ms = kNever;  // the last millisecond at which it is there
};

class Keys {
 public:
  // Null if it is not there. Good until the next change.
  Key* find(std::string_view name, int64_t now_ms);
  const Key* find(std::string_view name, int64_t now_ms) const;
  // Makes the key, in the place of whatever was there, without an expiry.
  Key& put(std::string_view name, Value value, int64_t now_ms);
  // Whether it was there.
  bool erase(std::string_view name, int64_t now_ms);
  void clear() { keys_.clear(); }

  // O(n).
  size_t size(int64_t now_ms) const;
  // Sorted. The views are good until the next change.
  std::vector<std::string_view> names(int64_t now_ms) const;

 private:
  void sweep(int64_t now_ms);

  TextMap<Key> keys_;
  size_t sweep_at_ = 1024;  // keys at which those whose time is up are looked for
};

}  // namespace toll::sim
