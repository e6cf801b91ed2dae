// CRC-32C (Castagnoli), the checksum of the journal: RFC 3720, section 12.1 and appendix B.4. With
// the processor's own instruction where there is one (SSE 4.2), else eight bytes at a time by
// tables (Kounavis and Berry, "A Systematic Approach to Building High Performance Software-based
// CRC Generators", 2005).
//
// Finds every change within 32 bits and every odd number of flipped bits; no secret is in it, so it
// keeps nobody from forging. Pure; any thread.
#pragma once

#include <cstdint>
#include <string_view>

namespace toll::engine {

// The CRC of `bytes`; with `before`, the CRC of other bytes, that of those and these in a row.
uint32_t crc32c(std::string_view bytes, uint32_t before = 0);

// The two ways that crc32c() chooses from; for tests.
uint32_t crc32c_by_tables(std::string_view bytes, uint32_t before = 0);
bool has_crc32c_instruction();
// REQUIRES: has_crc32c_instruction().
uint32_t crc32c_by_instruction(std::string_view bytes, uint32_t before = 0);

}  // namespace toll::engine
