// Where a record is no JSON object, and why: a strict reader of RFC 8259, a byte at a time.
//
// It is for what a faster check has refused (daemon/json_check.h). Pure function, any thread; reads
// nothing outside of the record, allocates nothing, and takes time proportional to the record.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace toll::daemon {

struct JsonFault {
  size_t offset = 0;        // of the first byte that cannot be there; the record's size: its end
  std::string_view reason;  // static text
};

// Nothing if `record` is one JSON object, with blanks around it or not, nested at most
// kJsonDepthMax deep. Keys may come twice; numbers may be of any size and length.
std::optional<JsonFault> find_json_fault(std::string_view record);

}  // namespace toll::daemon
