#include "bench/reply_counter.h"

#include <algorithm>
#include <charconv>
#include <cstring>
#include <functional>
#include <utility>

namespace toll::bench {
namespace {

constexpr size_t kTextMax = 200;
constexpr std::string_view kListWord = "LIST ";
// The source stands before at most a position and a ticket.
constexpr int kWordsAfterVerdict = 3;
// A decision has at least its verdict and four figures; PEEK's answer has four fields.
constexpr int64_t kDecisionElementsMin = 5;
// Of a bulk string, what is enough to know a source by.
constexpr size_t kWordMax = 16;
constexpr int64_t kNumberMax = int64_t{1} << 62;

template <class Operation>
ReplyCounts combine(ReplyCounts one, const ReplyCounts& other, Operation operation) {
  for (uint64_t ReplyCounts::* kind :
       {&ReplyCounts::allow, &ReplyCounts::deny, &ReplyCounts::ok, &ReplyCounts::error,
        &ReplyCounts::unknown, &ReplyCounts::records, &ReplyCounts::record_bytes}) {
    one.*kind = operation(one.*kind, other.*kind);
  }
  std::ranges::transform(one.sources, other.sources, one.sources.begin(), operation);
  std::ranges::transform(one.codes, other.codes, one.codes.begin(), operation);
  return one;
}

}  // namespace

ReplyCounts operator-(const ReplyCounts& later, const ReplyCounts& earlier) {
  return combine(later, earlier, std::minus<>());
}

ReplyCounts& operator+=(ReplyCounts& sum, const ReplyCounts& more) {
  return sum = combine(sum, more, std::plus<>());
}

uint32_t ReplyCounter::count(std::span<const char> bytes, ReplyCounts& counts) {
  return framing_ == Framing::kLine ? count_lines(bytes, counts) : count_resp(bytes, counts);
}

uint32_t ReplyCounter::count_lines(std::span<const char> bytes, ReplyCounts& counts) {
  uint32_t replies = 0;
  std::string_view rest(bytes.data(), bytes.size());
  while (!rest.empty()) {
    if (rows_left_ > 0) {
      rest.remove_prefix(count_row(rest, counts));
      if (rows_left_ == 0) ++replies;
      continue;
    }
    const size_t end = rest.find('\n');
    if (end == std::string_view::npos) {
      keep_text(rest);
      break;
    }
    const std::string_view line = rest.substr(0, end);
    if (text_.empty()) {
      count_line(line, counts);
    } else {
      keep_text(line);
      count_line(text_, counts);
      text_.clear();
    }
    if (rows_left_ == 0) ++replies;
    rest.remove_prefix(end + 1);
  }
  return replies;
}

// How much of `rest` belongs to the row that it begins in.
size_t ReplyCounter::count_row(std::string_view rest, ReplyCounts& counts) {
  const size_t end = rest.find('\n');
  if (end == std::string_view::npos) {
    counts.record_bytes += rest.size();
    return rest.size();
  }
  counts.record_bytes += end;
  ++counts.records;
  --rows_left_;
  return end + 1;
}

void ReplyCounter::count_line(std::string_view line, ReplyCounts& counts) {
  if (line.ends_with('\r')) line.remove_suffix(1);
  switch (line.empty() ? '\0' : line.front()) {
    case 'A':
      ++counts.allow;
      break;
    case 'D':
      ++counts.deny;
      break;
    case 'O':
      ++counts.ok;
      break;
    case 'L':
      ++counts.ok;
      line.remove_prefix(std::min(line.size(), kListWord.size()));
      std::from_chars(line.begin(), line.end(), rows_left_);
      return;
    case 'E':
      keep_error(line);
      return count_error(line.substr(std::min(line.size(), line.find(' ') + 1)), counts);
    default:
      ++counts.unknown;
      return keep_error(line);
  }
  for (int words = 0; words < kWordsAfterVerdict && !line.empty(); ++words) {
    const size_t blank = std::min(line.rfind(' '), line.size());
    if (count_source(line.substr(std::min(blank + 1, line.size())), counts)) return;
    line = line.substr(0, blank == line.size() ? 0 : blank);
  }
}

bool ReplyCounter::count_source(std::string_view word, ReplyCounts& counts) {
  if (word != kReplySources[last_source_]) {
    const auto* const found = std::ranges::find(kReplySources, word);
    if (found == kReplySources.end()) return false;
    last_source_ = static_cast<size_t>(found - kReplySources.begin());
  }
  ++counts.sources[last_source_];
  return true;
}

// `text` begins with the code.
void ReplyCounter::count_error(std::string_view text, ReplyCounts& counts) {
  ++counts.error;
  const std::string_view code = text.substr(0, text.find(' '));
  const auto* const found = std::find(kErrorCodes.begin(), kErrorCodes.end() - 1, code);
  ++counts.codes[static_cast<size_t>(found - kErrorCodes.begin())];
}

void ReplyCounter::keep_error(std::string_view text) {
  if (first_error_.empty()) first_error_ = text.substr(0, kTextMax);
}

void ReplyCounter::keep_text(std::string_view part) {
  text_ += part.substr(0, kTextMax - std::min(kTextMax, text_.size()));
}

uint32_t ReplyCounter::count_resp(std::span<const char> bytes, ReplyCounts& counts) {
  uint32_t replies = 0;
  for (size_t at = 0; at < bytes.size();) {
    if (state_ == State::kBulk) {
      const auto skipped = std::min<int64_t>(bulk_left_, static_cast<int64_t>(bytes.size() - at));
      if (text_.size() < kWordMax) {
        const auto kept = static_cast<size_t>(std::min<int64_t>(skipped, kWordMax));
        keep_text({bytes.data() + at, kept});
      }
      bulk_left_ -= skipped;
      at += static_cast<size_t>(skipped);
      if (bulk_left_ == 0 && end_value(counts)) ++replies;
      continue;
    }
    const char byte = bytes[at];
    if (state_ == State::kType) {
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
    } else if (state_ == State::kText && byte != '\r') {
      keep_text({&byte, 1});
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
    has_source_ = false;
    second_type_ = 0;
  } else if (second_type_ == 0) {
    second_type_ = type;
  }
  type_ = type;
  text_.clear();
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
  if (!has_source_ && (type_ == '$' || type_ == '+')) {
    // A bulk string was kept with its line end.
    has_source_ = count_source(std::string_view(text_).substr(0, text_.find('\r')), counts);
  }
  if (type_ == '$' && reply_type_ == '*' && text_.starts_with('{')) {
    ++counts.records;
    counts.record_bytes += static_cast<uint64_t>(number_);
  }
  if (type_ != '*') --values_left_;
  if (values_left_ > 0) return false;
  const char type = std::exchange(reply_type_, '\0');
  if (type == '*' && second_type_ == ':' && elements_ >= kDecisionElementsMin) {
    ++(first_number_ == 1 ? counts.allow : counts.deny);
  } else if (type == '-') {
    keep_error('-' + text_);
    count_error(text_, counts);
  } else if (type == '+' || type == ':' || type == '$' || type == '*') {
    ++counts.ok;
  } else {
    ++counts.unknown;
  }
  return true;
}

}  // namespace toll::bench
