// Once a record was checked, no other one allocates, whatever it is.
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "daemon/json_check.h"
#include "net/limits.h"
#include "tests/unit/counting_allocator.h"

namespace toll::daemon {
namespace {

TEST(JsonAllocation, OnlyTheFirstCheckAllocates) {
  constexpr size_t kRecordMax = 64 * 1024;
  std::vector<std::string> records = {"{}", "", "{", R"({"a":1e999})", R"({"a":"\q"})"};
  std::string longest = R"({"a":[0)";
  while (longest.size() + 4 <= kRecordMax) longest += ",1";
  records.push_back(longest + "]}");
  JsonChecker checker(kRecordMax);
  for (std::string& record : records) record.append(net::kReadSlackBytes, '\0');
  const auto check = [&](const std::string& padded) {
    return checker.check(std::string_view(padded).substr(0, padded.size() - net::kReadSlackBytes));
  };
  EXPECT_GT(test::allocations_of([&] { (void)check(records[0]); }), 0u);
  size_t faults = 0;
  EXPECT_EQ(test::allocations_of([&] {
              for (const std::string& record : records) faults += check(record) ? 1 : 0;
            }),
            0u);
  EXPECT_EQ(faults, 3u);
}

}  // namespace
}  // namespace toll::daemon
