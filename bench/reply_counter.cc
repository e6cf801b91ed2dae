#include "bench/reply_counter.h"

#include <algorithm>
#include <cstring>
#include <utility>

namespace toll::bench {
namespace {

constexpr size_t kErrorTextMax = 200;
// A decision has at least its verdict and four figures; PEEK's answer has four fields.
constexpr int64_t kDecisionElementsMin = 5;
constexpr int64_t kNumberMax = int64_t{1} << 62;

}  // namespace

ReplyCounts operator-(const ReplyCounts& later, const ReplyCounts& earlier) {
  return {later.allow - earlier.allow, later.deny - earlier.deny, later.ok - earlier.ok,
          later.error - earlier.error, later.unknown - earlier.unknown};
}

ReplyCounts& operator+=(ReplyCounts& sum, const ReplyCounts& more) {
  sum.allow += more.allow;
  sum.deny += more.deny;
  sum.ok += more.ok;
  sum.error += more.error;
  sum.unknown += more.unknown;
  return sum;
}

uint32_t ReplyCounter::count(std::span<const char> bytes, ReplyCounts& counts) {
  return framing_ == Framing::kLine ? count_lines(bytes, counts) : count_resp(bytes, counts);
}

uint32_t ReplyCounter::count_lines(std::span<const char> bytes, ReplyCounts& counts) {
  uint32_t replies = 0;
  while (!bytes.empty()) {
    // By its first letter: a reply is counted for what it is when it begins and as complete when
    // it ends; the caller looks at sums only once nothing is in flight.
    if (at_start_) classify_line(bytes, counts);
    const void* end = std::memchr(bytes.data(), '\n', bytes.size());
    at_start_ = end != nullptr;
    if (end == nullptr) break;
    ++replies;
    bytes = bytes.subspan(static_cast<size_t>(static_cast<const char*>(end) - bytes.data()) + 1);
  }
  return replies;
}

void ReplyCounter::classify_line(std::span<const char> rest, ReplyCounts& counts) {
  switch (rest.front()) {
    case 'A':
      ++counts.allow;
      return;
    case 'D':
      ++counts.deny;
      return;
    case 'O':
      ++counts.ok;
      return;
    case 'E':
      ++counts.error;
      return keep_error(rest);
    default:
      ++counts.unknown;
      return keep_error(rest);
  }
}

void ReplyCounter::keep_error(std::span<const char> rest) {
  if (!first_error_.empty()) return;
  const auto end = std::ranges::find_if(rest, [](char c) { return c == '\n' || c == '\r'; });
  const auto length = static_cast<size_t>(end - rest.begin());
  first_error_.assign(rest.data(), std::min(length, kErrorTextMax));
}

uint32_t ReplyCounter::count_resp(std::span<const char> bytes, ReplyCounts& counts) {
  uint32_t replies = 0;
  for (size_t at = 0; at < bytes.size();) {
    if (state_ == State::kBulk) {
      const auto skipped = std::min<int64_t>(bulk_left_, static_cast<int64_t>(bytes.size() - at));
      bulk_left_ -= skipped;
      at += static_cast<size_t>(skipped);
      if (bulk_left_ == 0 && end_value(counts)) ++replies;
      continue;
    }
    const char byte = bytes[at];
    if (state_ == State::kType) {
      if (reply_type_ == 0 && byte == '-') keep_error(bytes.subspan(at));
      begin_value(byte);
    } else if (byte == '\n') {
      if (state_ == State::kNumber) end_number();
      // An array or a bulk string goes on with its elements or its bytes.
      const bool goes_on = (type_ == '$' && bulk_left_ > 0) || (type_ == '*' && values_left_ > 0);
      if (goes_on) {
        state_ = type_ == '$' ? State::kBulk : State::kType;
      } else if (end_value(counts)) {
        ++replies;
      }
    } else if (state_ == State::kNumber && byte == '-') {
      negative_ = true;
    } else if (state_ == State::kNumber && byte >= '0' && byte <= '9') {
      if (number_ < kNumberMax / 16) number_ = number_ * 10 + (byte - '0');
    }
    ++at;
  }
  return replies;
}

void ReplyCounter::begin_value(char type) {
  if (reply_type_ == 0) {
    reply_type_ = type;
    values_left_ = 1;
    elements_ = 0;
    first_number_ = -1;
  }
  type_ = type;
  number_ = 0;
  negative_ = false;
  state_ = type == ':' || type == '$' || type == '*' ? State::kNumber : State::kText;
}

void ReplyCounter::end_number() {
  if (negative_) number_ = -number_;
  if (type_ == '$') bulk_left_ = number_ < 0 ? 0 : number_ + 2;
  if (type_ == ':' && first_number_ < 0) first_number_ = number_;
  if (type_ == '*') {
    if (reply_type_ == '*' && elements_ == 0) elements_ = number_;
    // The array itself is done with its head; its elements are what is left.
    values_left_ += std::max<int64_t>(number_, 0) - 1;
  }
}

bool ReplyCounter::end_value(ReplyCounts& counts) {
  state_ = State::kType;
  if (type_ != '*') --values_left_;
  if (values_left_ > 0) return false;
  const char type = std::exchange(reply_type_, '\0');
  if (type == '*' && elements_ >= kDecisionElementsMin) {
    ++(first_number_ == 1 ? counts.allow : counts.deny);
  } else if (type == '-') {
    ++counts.error;
  } else if (type == '+' || type == ':' || type == '$' || type == '*') {
    ++counts.ok;
  } else {
    ++counts.unknown;
  }
  return true;
}

}  // namespace toll::bench
