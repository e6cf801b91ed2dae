#include <gtest/gtest.h>
#include <string>
#include <string_view>

#include "daemon/treasury.h"
#include "engine/limits.h"

namespace toll::daemon {
namespace {

using std::string_view_literals::operator""sv;

const engine::KeyHasher kHasher({1, 2});

TEST(ChargeKey, IsTheSameForTheSame) {
  EXPECT_EQ(charge_key(kHasher, "ann", false, "k"), charge_key(kHasher, "ann", false, "k"));
  EXPECT_NE(charge_key(kHasher, "ann", false, "k"), charge_key(kHasher, "ann", true, "k"));
  EXPECT_NE(charge_key(kHasher, "ann", false, "k"), charge_key(kHasher, "bob", false, "k"));
}

// Ids and keys are any bytes, and strangers choose ids.
TEST(ChargeKey, NoIdAndKeyPassForOthers) {
  EXPECT_NE(charge_key(kHasher, "a\0b"sv, false, "c"), charge_key(kHasher, "a", false, "b\0c"sv));
  EXPECT_NE(charge_key(kHasher, "a\1b"sv, true, "c"), charge_key(kHasher, "a", true, "b\1c"sv));
}

TEST(ChargeKey, ItsTextTellsItsParts) {
  for (const size_t size : {size_t{1}, size_t{255}, size_t{256}, engine::kIdMax}) {
    const std::string id(size, '\0');
    const std::string text = text_of({id, true, "key\0"sv});
    const ChargeKeyParts parts = parts_of(text);
    EXPECT_EQ(parts.id, id);
    EXPECT_TRUE(parts.settles);
    EXPECT_EQ(parts.text, "key\0"sv);
  }
}

}  // namespace
}  // namespace toll::daemon
