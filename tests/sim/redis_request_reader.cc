#include "tests/sim/redis_request_reader.h"

#include <limits>
#include <utility>

#include "tests/sim/redis_reply.h"

namespace toll::sim {

namespace {

constexpr size_t kLineMax = size_t{64} << 10;
constexpr int64_t kBulkMax = int64_t{512} << 20;
constexpr int64_t kWordsMax = std::numeric_limits<int32_t>::max();
constexpr int64_t kStrangerWordsMax = 10;
constexpr int64_t kStrangerBulkMax = 16384;

}  // namespace

void RequestReader::feed(std::string_view bytes) {
  if (kept_.empty()) {
    input_ = bytes;
    return;
  }
  kept_ += bytes;
  input_ = kept_;
}

void RequestReader::keep() {
  if (!kept_.empty()) {
    kept_.erase(0, begin_);
  } else {
    kept_.assign(input_.substr(begin_));
  }
  at_ -= begin_;
  begin_ = 0;
  input_ = kept_;
}

RequestReader::Next RequestReader::fail(std::string fault) {
  fault_ = std::move(fault);
  return Next::kFault;
}

RequestReader::Next RequestReader::next(bool logged_in) {
  if (!fault_.empty()) return Next::kFault;
  while (missing_ == 0) {
    begin_ = at_;
    if (at_ == input_.size()) return Next::kMore;
    const Next began = input_[at_] == '*' ? read_count(logged_in) : read_inline();
    if (began != Next::kRequest) return began;
    if (missing_ == 0 && !words_.empty()) return Next::kRequest;
  }
  while (missing_ > 0) {
    const Next read = read_bulk(logged_in);
    if (read != Next::kRequest) return read;
  }
  words_.clear();
  for (const Range& range : ranges_) {
    words_.push_back(input_.substr(begin_ + range.at, range.size));
  }
  return Next::kRequest;
}

std::optional<std::string_view> RequestReader::take_line(std::string_view what) {
  const size_t end = input_.find('\r', at_);
  if (end == input_.npos) {
    if (input_.size() - at_ > kLineMax) {
      fail("Protocol error: too big " + std::string(what) + " count string");
    }
    return std::nullopt;
  }
  if (end + 2 > input_.size()) return std::nullopt;
  const std::string_view line = input_.substr(at_ + 1, end - at_ - 1);
  at_ = end + 2;
  return line;
}

RequestReader::Next RequestReader::read_count(bool logged_in) {
  words_.clear();
  ranges_.clear();
  const auto line = take_line("mbulk");
  if (!line) return fault_.empty() ? Next::kMore : Next::kFault;
  const auto count = whole_number(*line);
  if (!count || *count > kWordsMax) return fail("Protocol error: invalid multibulk length");
  if (*count > kStrangerWordsMax && !logged_in) {
    return fail("Protocol error: unauthenticated multibulk length");
  }
  missing_ = *count > 0 ? *count : 0;
  return Next::kRequest;
}

RequestReader::Next RequestReader::read_bulk(bool logged_in) {
  if (bulk_ < 0) {
    if (at_ == input_.size()) return Next::kMore;
    const size_t start = at_;
    const auto line = take_line("bulk");
    if (!line) return fault_.empty() ? Next::kMore : Next::kFault;
    if (input_[start] != '$') {
      return fail(std::string("Protocol error: expected '$', got '") + input_[start] + "'");
    }
    const auto size = whole_number(*line);
    if (!size || *size < 0 || *size > kBulkMax) {
      return fail("Protocol error: invalid bulk length");
    }
    if (*size > kStrangerBulkMax && !logged_in) {
      return fail("Protocol error: unauthenticated bulk length");
    }
    bulk_ = *size;
  }
  const auto size = static_cast<size_t>(bulk_);
  if (input_.size() - at_ < size + 2) return Next::kMore;
  ranges_.push_back({at_ - begin_, size});
  at_ += size + 2;
  bulk_ = -1;
  --missing_;
  return Next::kRequest;
}

RequestReader::Next RequestReader::read_inline() {
  constexpr std::string_view kBlanks = " \t\r\n\v\f";
  words_.clear();
  const size_t end = input_.find('\n', at_);
  if (end == input_.npos) {
    if (input_.size() - at_ <= kLineMax) return Next::kMore;
    return fail("Protocol error: too big inline request");
  }
  const std::string_view line = input_.substr(at_, end - at_);
  at_ = end + 1;
  for (size_t at = line.find_first_not_of(kBlanks); at != line.npos;) {
    const size_t past = std::min(line.find_first_of(kBlanks, at), line.size());
    words_.push_back(line.substr(at, past - at));
    at = line.find_first_not_of(kBlanks, past);
  }
  return Next::kRequest;
}

}  // namespace toll::sim
