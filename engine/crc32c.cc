#include "engine/crc32c.h"

#include <array>
#include <bit>
#include <cassert>
#include <cstddef>
#include <cstring>

#ifdef __x86_64__
#include <nmmintrin.h>

#include "engine/load_word.h"
#endif

namespace toll::engine {
namespace {

// Words are taken as they lie in memory.
static_assert(std::endian::native == std::endian::little);

constexpr uint32_t kPolynomial = 0x82f63b78;  // 0x1edc6f41, the lowest bit first
constexpr size_t kSlices = 8;

using Tables = std::array<std::array<uint32_t, 256>, kSlices>;

// tables[n][byte]: what the byte does to the CRC when n bytes follow it.
consteval Tables make_tables() {
  Tables tables = {};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t crc = byte;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ (crc & 1) * kPolynomial;
    tables[0][byte] = crc;
  }
  for (size_t slice = 1; slice < kSlices; ++slice) {
    for (size_t byte = 0; byte < 256; ++byte) {
      const uint32_t crc = tables[slice - 1][byte];
      tables[slice][byte] = crc >> 8 ^ tables[0][crc & 0xff];
    }
  }
  return tables;
}

constexpr Tables kTables = make_tables();

}  // namespace

uint32_t crc32c_by_tables(std::string_view bytes, uint32_t before) {
  uint32_t crc = ~before;
  while (bytes.size() >= kSlices) {
    const uint64_t word = load_word(bytes.data()) ^ crc;
    crc = 0;
    for (size_t i = 0; i < kSlices; ++i) crc ^= kTables[kSlices - 1 - i][word >> (8 * i) & 0xff];
    bytes.remove_prefix(kSlices);
  }
  for (const char byte : bytes) {
    crc = crc >> 8 ^ kTables[0][(crc ^ static_cast<uint8_t>(byte)) & 0xff];
  }
  return ~crc;
}

#ifdef __x86_64__

bool has_crc32c_instruction() {
  static const bool has = __builtin_cpu_supports("sse4.2") != 0;
  return has;
}

[[gnu::target("sse4.2")]] uint32_t crc32c_by_instruction(std::string_view bytes, uint32_t before) {
  assert(has_crc32c_instruction());
  uint64_t wide = ~before;
  while (bytes.size() >= sizeof(uint64_t)) {
    wide = _mm_crc32_u64(wide, load_word(bytes.data()));
    bytes.remove_prefix(sizeof(uint64_t));
  }
  auto crc = static_cast<uint32_t>(wide);
  for (const char byte : bytes) crc = _mm_crc32_u8(crc, static_cast<uint8_t>(byte));
  return ~crc;
}

#else

bool has_crc32c_instruction() {
  return false;
}

uint32_t crc32c_by_instruction(std::string_view bytes, uint32_t before) {
  assert(false);
  return crc32c_by_tables(bytes, before);
}

#endif

uint32_t crc32c(std::string_view bytes, uint32_t before) {
  return has_crc32c_instruction() ? crc32c_by_instruction(bytes, before)
                                  : crc32c_by_tables(bytes, before);
}

}  // namespace toll::engine
