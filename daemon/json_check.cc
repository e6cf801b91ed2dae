#include "daemon/json_check.h"

#include <algorithm>
#include <cassert>
#include <simdjson.h>

#include "daemon/limits.h"
#include "net/limits.h"

namespace toll::daemon {

static_assert(net::kReadSlackBytes >= simdjson::SIMDJSON_PADDING);

// The document apart from its parser, because only so all memory can be had beforehand.
struct JsonChecker::Parser {
  simdjson::dom::parser parser;
  simdjson::dom::document document;
};

JsonChecker::JsonChecker(size_t record_max)
    : record_max_(record_max), parser_(std::make_unique<Parser>()) {}

JsonChecker::~JsonChecker() = default;

std::optional<JsonFault> JsonChecker::check(std::string_view record) {
  if (record.size() > record_max_) return JsonFault{record_max_, "longer than a record may be"};
  if (passes(record)) return std::nullopt;
  return find_json_fault(record);
}

bool JsonChecker::passes(std::string_view record) {
  assert(record.size() <= record_max_);
  // simdjson takes other values too, and newer ones a byte order mark.
  const size_t first = record.find_first_not_of(" \t\r\n");
  if (first == record.npos || record[first] != '{') return false;
  auto& [parser, document] = *parser_;
  if (parser.capacity() == 0) {
    // It makes no room for less, and would make it later.
    const size_t capacity = std::max(record_max_, simdjson::dom::MINIMAL_DOCUMENT_CAPACITY);
    // It refuses at the depth it is given. Where there is no memory, each check asks for it again.
    if (document.allocate(capacity) != simdjson::SUCCESS) return false;
    if (parser.allocate(capacity, kJsonDepthMax + 1) != simdjson::SUCCESS) return false;
  }
  constexpr bool kCopy = false;
  const auto parsed = parser.parse_into_document(document, record.data(), record.size(), kCopy);
  return parsed.error() == simdjson::SUCCESS;
}

}  // namespace toll::daemon
