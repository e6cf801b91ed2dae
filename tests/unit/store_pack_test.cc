// Integers as MessagePack, and whatever else may come.
#include "engine/store_pack.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <string>
#include <vector>

namespace toll::engine {
namespace {

TEST(StorePack, WhatIsWrittenIsRead) {
  const std::vector<int64_t> numbers{0,      1,          127,        128,       255,   256,
                                     65'535, 65'536,     4294967295, INT64_MAX, -1,    -32,
                                     -33,    4294967296, INT64_MIN,  1000,      70'000};
  PackWriter writer;
  writer.begin(numbers.size());
  for (const int64_t number : numbers) writer.number(number);
  PackReader reader(writer.bytes());
  EXPECT_EQ(reader.array(), numbers.size());
  for (const int64_t number : numbers) EXPECT_EQ(reader.number(), number);
  EXPECT_TRUE(reader.at_end());
  EXPECT_FALSE(reader.failed());
}

TEST(StorePack, AWriterBeginsAnew) {
  PackWriter writer;
  writer.begin(2);
  writer.number(1);
  writer.number(INT64_MAX);
  writer.begin(1);
  writer.number(7);
  EXPECT_EQ(writer.bytes(), std::string("\xdd\0\0\0\1\7", 6));
}

constexpr int64_t kNoNumber = -77;

// The one number that the bytes are.
int64_t read(const std::string& bytes) {
  PackReader reader(bytes);
  const int64_t number = reader.number();
  EXPECT_TRUE(reader.at_end());
  return reader.failed() ? kNoNumber : number;
}

TEST(StorePack, EveryKindOfWholeNumberIsRead) {
  EXPECT_EQ(read("\xcc\xff"), 255);
  EXPECT_EQ(read("\xcd\xff\xfe"), 65'534);
  EXPECT_EQ(read("\xce\xff\xff\xff\xff"), 4294967295);
  EXPECT_EQ(read("\xcf\x7f\xff\xff\xff\xff\xff\xff\xff"), INT64_MAX);
  EXPECT_EQ(read("\xd0\x80"), -128);
  EXPECT_EQ(read("\xd1\x80\x01"), -32'767);
  EXPECT_EQ(read("\xd2\xff\xff\xff\xff"), -1);
  EXPECT_EQ(read("\xd3\xff\xff\xff\xff\xff\xff\xff\xfe"), -2);
  EXPECT_EQ(read("\xe0"), -32);
  EXPECT_EQ(read(std::string("\xca\x40\x40\x00\x00", 5)), 3);
  EXPECT_EQ(read(std::string("\xcb\x41\xf0\x00\x00\x00\x00\x00\x00", 9)), 4294967296);
}

TEST(StorePack, WhatIsNoWholeNumberFails) {
  EXPECT_EQ(read(""), kNoNumber);
  EXPECT_EQ(read("\xa1x"), kNoNumber);                                     // text
  EXPECT_EQ(read("\xc0"), kNoNumber);                                      // nil
  EXPECT_EQ(read("\xcf\xff\xff\xff\xff\xff\xff\xff\xff"), kNoNumber);      // beyond 63 bits
  EXPECT_EQ(read(std::string("\xca\x40\x48\x00\x00", 5)), kNoNumber);      // 3.125
  EXPECT_EQ(read(std::string("\xca\x7f\xc0\x00\x00", 5)), kNoNumber);      // no number
  EXPECT_EQ(read(std::string("\xcb\x7f\xf0\0\0\0\0\0\0", 9)), kNoNumber);  // infinity
  EXPECT_EQ(read("\xcd\xff"), kNoNumber);
}

TEST(StorePack, ArraysAreToldByEachOfTheirHeads) {
  EXPECT_EQ(PackReader("\x93").array(), 3u);
  EXPECT_EQ(PackReader(std::string("\xdc\x01\x00", 3)).array(), 256u);
  EXPECT_EQ(PackReader(std::string("\xdd\x00\x01\x00\x00", 5)).array(), 65'536u);
  for (const char* other : {"", "\x05", "\xdc\x01", "\xdd\x01", "\x82"}) {
    PackReader reader(other);
    EXPECT_EQ(reader.array(), 0u);
    EXPECT_TRUE(reader.failed());
  }
}

TEST(StorePack, AFailureStays) {
  PackReader reader("\xc0\x05\x06");
  reader.number();
  EXPECT_EQ(reader.number(), 0);
  EXPECT_TRUE(reader.failed());
  PackReader bounded("\x05\x06");
  EXPECT_EQ(bounded.number(0, 4), 0);
  EXPECT_EQ(bounded.number(0, 9), 0);
  EXPECT_TRUE(bounded.failed());
}

}  // namespace
}  // namespace toll::engine
