// Writes commands as Redis reads them, straight into an output buffer: begin(), a word() for each,
// end().
//
// One thread; the buffer is the caller's and outlives a command. Allocates nothing.
#pragma once

#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <string_view>

#include "net/output_buffer.h"

namespace toll::net {

class RedisCommandWriter {
 public:
  // REQUIRES: words > 0, and no command that was begun and not ended.
  void begin(OutputBuffer& output, size_t words);
  void word(std::string_view bytes);
  void word(int64_t number);
  void end();  // REQUIRES: all words were written

  // A whole command.
  void write(OutputBuffer& output, std::initializer_list<std::string_view> words);

  bool writing() const { return output_ != nullptr; }

 private:
  void header(char type, size_t number);

  OutputBuffer* output_ = nullptr;
  size_t missing_ = 0;
};

}  // namespace toll::net
