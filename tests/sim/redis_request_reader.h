// Cuts what a client sends into requests, as Redis does: RESP2 arrays of bulk strings, and inline
// lines (words between blanks, without quotes), with Redis' limits and messages.
//
// Belongs to one session.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace toll::sim {

class RequestReader {
 public:
  enum class Next : uint8_t {
    kRequest,
    kMore,   // the next request is not complete
    kFault,  // no request; nothing more is to be read
  };

  // Bytes that came, which stay where they are until keep(). Take the requests, then keep().
  void feed(std::string_view bytes);
  // Who has not logged in may only say little.
  Next next(bool logged_in);
  // Copies what is left of the bytes.
  void keep();

  // Of the request that next() told of. At least one; good until the next call of anything.
  std::span<const std::string_view> words() const { return words_; }
  // What is wrong, as Redis says it.
  const std::string& fault() const { return fault_; }

 private:
  struct Range {
    size_t at;  // behind begin_
    size_t size;
  };

  Next fail(std::string fault);
  Next read_inline();
  Next read_count(bool logged_in);
  Next read_bulk(bool logged_in);
  // The number in the line from at_ + 1 on, `line` being left at_ behind it. Nothing: the line is
  // not complete, or too long, and then there is a fault.
  std::optional<std::string_view> take_line(std::string_view what);

  std::string kept_;
  std::string_view input_;
  size_t begin_ = 0;     // of the request that is being read
  size_t at_ = 0;        // what is not read yet
  int64_t missing_ = 0;  // words of the request still to come
  int64_t bulk_ = -1;    // bytes of the word that is being read, if its length is known
  std::vector<Range> ranges_;
  std::vector<std::string_view> words_;
  std::string fault_;
};

}  // namespace toll::sim
