#include "daemon/pseudonyms.h"

#include <array>
#include <cerrno>
#include <fmt/format.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdexcept>
#include <utility>

#include "config/audit.h"
#include "daemon/audit_chain.h"
#include "daemon/hex.h"
#include "net/file_system.h"

namespace toll::daemon {
namespace {

constexpr size_t kKeyIdDigits = 8;
constexpr std::string_view kOwnKeyName = "audit-key";
constexpr std::string_view kUnfinished = "audit-key.new";

// 256 random bits.
std::string new_key(net::Machine& machine) {
  std::string key;
  for (int i = 0; i < 4; ++i) key += fmt::format("{:016x}", machine.random_bits());
  return key;
}

std::expected<void, net::FileError> keep_key(net::FileSystem& files, const std::string& key) {
  const std::string unfinished(kUnfinished);
  if (auto removed = files.remove(unfinished); !removed && removed.error().code != ENOENT) {
    return removed;
  }
  auto file = files.create(unfinished);
  if (!file) return std::unexpected(std::move(file.error()));
  if (auto written = (*file)->write_at(0, key + "\n"); !written) return written;
  if (auto synced = (*file)->sync(); !synced) return synced;
  if (auto named = files.rename(unfinished, std::string(kOwnKeyName)); !named) return named;
  return files.sync_directory();
}

}  // namespace

Pseudonyms::Pseudonyms(std::string key)
    : key_(std::move(key)), key_id_(sha256_hex(key_).substr(0, kKeyIdDigits)) {}

std::string Pseudonyms::of(std::string_view id) const {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  const auto* bytes = reinterpret_cast<const unsigned char*>(id.data());
  if (HMAC(EVP_sha256(), key_.data(), static_cast<int>(key_.size()), bytes, id.size(),
           digest.data(), &size) == nullptr) {
    throw std::runtime_error("OpenSSL has no HMAC with SHA-256");
  }
  return hex_of({digest.data(), size});
}

std::string own_audit_key_path(const std::string& state_dir) {
  return fmt::format("{}/{}", state_dir, kOwnKeyName);
}

std::expected<std::string, std::string> own_audit_key(const std::string& state_dir,
                                                      net::Machine& machine) {
  auto files = net::open_directory(state_dir);
  if (!files) return std::unexpected(std::move(files.error().text));
  if (auto there = (*files)->open(std::string(kOwnKeyName)); there) {
    auto read = config::read_audit_key(own_audit_key_path(state_dir));
    if (!read) return std::unexpected(std::move(read.error()));
    return std::move(read->password);
  } else if (there.error().code != ENOENT) {
    return std::unexpected(std::move(there.error().text));
  }
  const std::string key = new_key(machine);
  if (auto kept = keep_key(**files, key); !kept) return std::unexpected(kept.error().text);
  return key;
}

}  // namespace toll::daemon
