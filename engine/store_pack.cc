#include "engine/store_pack.h"

#include <bit>
#include <limits>

namespace toll::engine {
namespace {

// The first bytes of what is written and read here; the names are the specification's.
constexpr uint8_t kFixArray = 0x90;  // to 0x9f, with the length in the low bits
constexpr uint8_t kFloat32 = 0xca;
constexpr uint8_t kFloat64 = 0xcb;
constexpr uint8_t kUint8 = 0xcc;
constexpr uint8_t kUint16 = 0xcd;
constexpr uint8_t kUint32 = 0xce;
constexpr uint8_t kUint64 = 0xcf;
constexpr uint8_t kInt8 = 0xd0;
constexpr uint8_t kInt16 = 0xd1;
constexpr uint8_t kInt32 = 0xd2;
constexpr uint8_t kInt64 = 0xd3;
constexpr uint8_t kArray16 = 0xdc;
constexpr uint8_t kArray32 = 0xdd;
constexpr uint8_t kNegativeFixInt = 0xe0;  // and above: -32 to -1

constexpr size_t kHeaderBytes = 5;
constexpr size_t kNumberBytesMax = 9;

constexpr double kWholeMax = 9'007'199'254'740'992;  // 2^53

}  // namespace

void PackWriter::begin(size_t numbers) {
  assert(numbers <= std::numeric_limits<uint32_t>::max());
  const size_t most = kHeaderBytes + numbers * kNumberBytesMax;
  if (buffer_.size() < most) buffer_.resize(most);
  size_ = 0;
  put(kArray32);
  put_big_endian(numbers, 4);
}

void PackWriter::put_big_endian(uint64_t value, size_t bytes) {
  while (bytes > 0) {
    --bytes;
    put(static_cast<uint8_t>(value >> (8 * bytes)));
  }
}

void PackWriter::number(int64_t value) {
  assert(size_ + kNumberBytesMax <= buffer_.size());
  const auto bits = static_cast<uint64_t>(value);
  if (value < 0) {
    put(kInt64);
    return put_big_endian(bits, 8);
  }
  if (bits < 0x80) return put(static_cast<uint8_t>(bits));
  if (bits <= 0xff) {
    put(kUint8);
    return put_big_endian(bits, 1);
  }
  if (bits <= 0xffff) {
    put(kUint16);
    return put_big_endian(bits, 2);
  }
  if (bits <= 0xffff'ffff) {
    put(kUint32);
    return put_big_endian(bits, 4);
  }
  put(kUint64);
  put_big_endian(bits, 8);
}

uint64_t PackReader::take_big_endian(size_t bytes) {
  if (rest_.size() < bytes) {
    fail();
    return 0;
  }
  uint64_t value = 0;
  for (size_t i = 0; i < bytes; ++i) value = value << 8 | static_cast<uint8_t>(rest_[i]);
  rest_.remove_prefix(bytes);
  return value;
}

uint64_t PackReader::array() {
  const uint64_t first = take_big_endian(1);
  if (failed_) return 0;
  if ((first & 0xf0) == kFixArray) return first & 0x0f;
  if (first == kArray16) return take_big_endian(2);
  if (first == kArray32) return take_big_endian(4);
  fail();
  return 0;
}

int64_t PackReader::whole(double value) {
  // Not the other way round, so that what is no number fails too.
  if (!(value >= -kWholeMax && value <= kWholeMax)) return fail();
  const auto number = static_cast<int64_t>(value);
  return static_cast<double>(number) == value ? number : fail();
}

template <typename Integer>
int64_t PackReader::take_integer() {
  const auto value = static_cast<Integer>(take_big_endian(sizeof(Integer)));
  if constexpr (sizeof(Integer) == 8 && std::is_unsigned_v<Integer>) {
    if (value > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) return fail();
  }
  return static_cast<int64_t>(value);
}

int64_t PackReader::number() {
  if (rest_.empty()) return fail();
  const auto first = static_cast<uint8_t>(rest_.front());
  rest_.remove_prefix(1);
  if (first < 0x80) return first;
  if (first >= kNegativeFixInt) return static_cast<int8_t>(first);
  switch (first) {
    case kUint8:
      return take_integer<uint8_t>();
    case kUint16:
      return take_integer<uint16_t>();
    case kUint32:
      return take_integer<uint32_t>();
    case kUint64:
      return take_integer<uint64_t>();
    case kInt8:
      return take_integer<int8_t>();
    case kInt16:
      return take_integer<int16_t>();
    case kInt32:
      return take_integer<int32_t>();
    case kInt64:
      return take_integer<int64_t>();
    case kFloat32:
      return whole(std::bit_cast<float>(static_cast<uint32_t>(take_big_endian(4))));
    case kFloat64:
      return whole(std::bit_cast<double>(take_big_endian(8)));
    default:
      return fail();
  }
}

int64_t PackReader::number(int64_t least, int64_t most) {
  const int64_t value = number();
  return value < least || value > most ? fail() : value;
}

}  // namespace toll::engine
