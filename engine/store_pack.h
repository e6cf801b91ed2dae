// Arrays of integers as MessagePack (https://github.com/msgpack/msgpack/blob/master/spec.md), the
// one encoding that scripts inside Redis can read and write without parsing text: cmsgpack.
//
// The writer keeps its memory from array to array. The reader takes any bytes: what is not an array
// of whole numbers, or ends too early, makes it fail and stay failed. Belong to whoever holds them.
#pragma once

#include <cassert>
#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

namespace toll::engine {

class PackWriter {
 public:
  // Begins an array of that many numbers, in place of the last one.
  void begin(size_t numbers);

  // REQUIRES: begin() announced it.
  void number(int64_t value);

  // Good until begin().
  std::string_view bytes() const { return {buffer_.data(), size_}; }

 private:
  void put(uint8_t byte) { buffer_[size_++] = static_cast<char>(byte); }
  void put_big_endian(uint64_t value, size_t bytes);

  std::vector<char> buffer_;  // as large as the largest array might have been
  size_t size_ = 0;
};

class PackReader {
 public:
  // `bytes` must outlive the reader.
  explicit PackReader(std::string_view bytes) : rest_(bytes) {}

  // How many elements the array has that begins here; 0 where none does.
  uint64_t array();

  // The next number; 0 where there is none. Doubles are taken where they are whole and below 2^53,
  // where Lua's numbers still are exact.
  int64_t number();
  // The same, but outside of these bounds it is none.
  int64_t number(int64_t least, int64_t most);

  void skip(size_t numbers) {
    while (numbers-- > 0) number();
  }

  bool failed() const { return failed_; }
  bool at_end() const { return rest_.empty(); }

 private:
  int64_t fail() {
    failed_ = true;
    rest_ = {};
    return 0;
  }
  uint64_t take_big_endian(size_t bytes);
  int64_t whole(double value);
  template <typename Integer>
  int64_t take_integer();

  std::string_view rest_;
  bool failed_ = false;
};

}  // namespace toll::engine
