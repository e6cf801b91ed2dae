#include "daemon/audit_chain.h"

#include <array>
#include <charconv>
#include <ctime>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <stdexcept>

#include "daemon/hex.h"

namespace toll::daemon {
namespace {

constexpr size_t kHashDigits = 64;
constexpr size_t kKeyDigits = 8;
constexpr std::string_view kHex = "0123456789abcdef";

// Takes `text` off the front of `line`. False: it begins otherwise.
bool take(std::string_view& line, std::string_view text) {
  if (!line.starts_with(text)) return false;
  line.remove_prefix(text.size());
  return true;
}

bool take_number(std::string_view& line, uint64_t& number) {
  const auto [end, error] = std::from_chars(line.data(), line.data() + line.size(), number);
  if (error != std::errc()) return false;
  line.remove_prefix(static_cast<size_t>(end - line.data()));
  return true;
}

// Up to the next quote, which is taken too.
bool take_text(std::string_view& line, std::string_view& text) {
  const size_t quote = line.find('"');
  if (quote == std::string_view::npos) return false;
  text = line.substr(0, quote);
  line.remove_prefix(quote + 1);
  return true;
}

// A value of so many hexadecimal digits off the end of `line`, behind `name`.
bool take_last(std::string_view& line, std::string_view name, size_t digits,
               std::string_view& value) {
  if (line.size() < name.size() + digits) return false;
  value = line.substr(line.size() - digits);
  if (value.find_first_not_of(kHex) != std::string_view::npos) return false;
  line.remove_suffix(digits);
  if (!line.ends_with(name)) return false;
  line.remove_suffix(name.size());
  return true;
}

}  // namespace

std::string sha256_hex(std::string_view bytes) {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  if (EVP_Digest(bytes.data(), bytes.size(), digest.data(), &size, EVP_sha256(), nullptr) != 1) {
    throw std::runtime_error("OpenSSL has no SHA-256");
  }
  return hex_of({digest.data(), size});
}

std::string time_text(engine::TimeUs time) {
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(static_cast<std::time_t>(time / 1'000'000)), time % 1'000'000);
}

std::string audit_line(const AuditLink& last, engine::TimeUs time, std::string_view kind,
                       std::string_view fields, std::string_view key_id) {
  return fmt::format(R"({{"number":{},"time":"{}","kind":"{}"{},"key":"{}","prev":"{}"}})",
                     last.number + 1, time_text(time), kind, fields, key_id, last.hash);
}

std::optional<AuditRecord> parse_audit_line(std::string_view line) {
  AuditRecord record;
  if (!line.ends_with("\"}")) return std::nullopt;
  line.remove_suffix(2);
  const bool whole = take_last(line, ",\"prev\":\"", kHashDigits, record.prev) &&
                     line.ends_with('"') && (line.remove_suffix(1), true) &&
                     take_last(line, ",\"key\":\"", kKeyDigits, record.key_id) &&
                     take(line, "{\"number\":") && take_number(line, record.number) &&
                     take(line, ",\"time\":\"") && take_text(line, record.time) &&
                     take(line, ",\"kind\":\"") && take_text(line, record.kind);
  if (!whole || record.number == 0) return std::nullopt;
  if (record.kind == "gap" && !(take(line, ",\"lost\":") && take_number(line, record.lost))) {
    return std::nullopt;
  }
  return record;
}

}  // namespace toll::daemon
