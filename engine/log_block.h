// Log records, one behind the other in one piece of memory.
//
// A batch on its way to Redis, to the disk, or into a LogQueue; added to at the back and taken from
// the front. Keeps its memory when cleared. One thread at a time.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace toll::engine {

class LogBlock {
 public:
  void add(std::string_view record) {
    bytes_.insert(bytes_.end(), record.begin(), record.end());
    ends_.push_back(static_cast<uint32_t>(bytes_.size()));
  }

  bool empty() const { return first_ == ends_.size(); }
  size_t count() const { return ends_.size() - first_; }
  size_t bytes() const { return bytes_.size() - begin(first_); }

  // REQUIRES: index < count(). Good until the next add() or clear().
  std::string_view at(size_t index) const {
    assert(index < count());
    const size_t from = begin(first_ + index);
    return {bytes_.data() + from, ends_[first_ + index] - from};
  }
  void drop_front(size_t records) {
    assert(records <= count());
    first_ += records;
  }
  void clear() {
    bytes_.clear();
    ends_.clear();
    first_ = 0;
  }

 private:
  size_t begin(size_t index) const { return index == 0 ? 0 : ends_[index - 1]; }

  std::vector<char> bytes_;
  std::vector<uint32_t> ends_;  // of each record in bytes_
  size_t first_ = 0;            // those before it were taken
};

}  // namespace toll::engine
