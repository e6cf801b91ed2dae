#include "daemon/audit_command.h"

#include <algorithm>
#include <cstdint>
#include <expected>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <iostream>
#include <string_view>
#include <utility>
#include <vector>

#include "config/audit.h"
#include "config/load.h"
#include "daemon/audit_chain.h"
#include "daemon/command_options.h"
#include "daemon/pseudonyms.h"

namespace toll::daemon {
namespace {

namespace fs = std::filesystem;

// A line longer than any record is none.
constexpr size_t kLineBytesMax = size_t{1} << 16;

int fault(std::string_view why) {
  complain(why);
  return 2;
}

// What the daemon of this host is set to.
std::expected<config::Settings, std::string> settings_in_force() {
  auto loaded =
      config::load({.file = {}, .socket = {}, .environment = config::process_environment()});
  if (!loaded) return std::unexpected(loaded.error().front().text());
  return std::move(loaded->settings);
}

// Reads a file line by line.
class LineReader {
 public:
  explicit LineReader(const fs::path& path) : stream_(path, std::ios::binary) {}

  bool is_open() const { return stream_.is_open(); }
  // False: there is no more. What has no end is not a line, and is left in rest().
  bool next(std::string& line) {
    line.clear();
    char byte = 0;
    while (line.size() <= kLineBytesMax && stream_.get(byte)) {
      if (byte == '\n') {
        ++number_;
        return true;
      }
      line += byte;
    }
    rest_ = line.size();
    return false;
  }
  uint64_t number() const { return number_; }
  size_t rest() const { return rest_; }

 private:
  std::ifstream stream_;
  uint64_t number_ = 0;
  size_t rest_ = 0;
};

struct AuditFile {
  fs::path path;
  uint64_t first = 0;  // the number of its first record; 0: it has none
};

// The file and what was rotated of it.
std::vector<fs::path> rotated_files(const fs::path& file) {
  std::vector<fs::path> found;
  std::error_code error;
  const std::string prefix = file.filename().string() + ".";
  for (const auto& entry : fs::directory_iterator(file.parent_path(), error)) {
    const std::string name = entry.path().filename();
    const std::string_view number =
        std::string_view(name).substr(std::min(prefix.size(), name.size()));
    const bool digits = !number.empty() && number.find_first_not_of("0123456789") == number.npos;
    if (name.starts_with(prefix) && digits) found.push_back(entry.path());
  }
  found.push_back(file);
  return found;
}

class ChainWalk {
 public:
  explicit ChainWalk(std::FILE* out) : out_(out) {}

  int run(const std::vector<fs::path>& paths) {
    std::vector<AuditFile> files;
    for (const fs::path& path : paths) {
      LineReader lines(path);
      if (!lines.is_open()) return fault(fmt::format("{}: cannot be read", path.string()));
      std::string line;
      const auto first = lines.next(line) ? parse_audit_line(line) : std::nullopt;
      files.push_back({path, first ? first->number : 0});
    }
    std::ranges::stable_sort(files, {}, &AuditFile::first);
    for (const AuditFile& file : files) {
      if (!walk(file.path)) return 1;
    }
    if (records_ == 0) {
      fmt::print(out_, "0 records\n");
      return 0;
    }
    fmt::print(out_, "{} records, from {} to {}, chain whole\n", records_, from_, to_);
    if (first_ > 1)
      fmt::print(out_, "it begins with record {}: those before it are not here\n", first_);
    if (lost_ > 0) fmt::print(out_, "{} records were lost, which its gaps tell of\n", lost_);
    return 0;
  }

 private:
  // False: it is broken, which was said.
  bool walk(const fs::path& path) {
    LineReader lines(path);
    std::string line;
    while (lines.next(line)) {
      const auto record = parse_audit_line(line);
      const std::string here = fmt::format("{}:{}", path.string(), lines.number());
      if (!record) {
        return broken(here,
                      fmt::format("record {} is broken: the line is no record", last_.number + 1));
      }
      if (!follows(*record, here)) return false;
      if (records_ == 0) {
        first_ = record->number;
        from_ = record->time;
      }
      to_ = record->time;
      lost_ += record->lost;
      ++records_;
      last_ = {.number = record->number, .hash = sha256_hex(line)};
      last_place_ = here;
    }
    if (lines.rest() > kLineBytesMax) {
      return broken(fmt::format("{}:{}", path.string(), lines.number() + 1),
                    fmt::format("record {} is broken: the line is no record", last_.number + 1));
    }
    if (lines.rest() > 0) {
      fmt::print(stderr,
                 "tollkeeper: {}: its last {} bytes are no whole record: it is being written, or "
                 "the daemon was killed; its next start cuts them off\n",
                 path.string(), lines.rest());
    }
    return true;
  }

  bool follows(const AuditRecord& record, const std::string& here) {
    if (records_ == 0 && record.number > 1) return true;
    if (record.number > last_.number + 1) {
      return broken(here, fmt::format("record {} is missing: {} follows {}", last_.number + 1,
                                      record.number, last_.number));
    }
    if (record.number <= last_.number) {
      return broken(here, fmt::format("record {} is out of its place: it follows {}", record.number,
                                      last_.number));
    }
    if (record.prev == last_.hash) return true;
    if (last_.number == 0) {
      return broken(here, "record 1 was changed: it names one before it");
    }
    return broken(last_place_,
                  fmt::format("record {} was changed, or what record {} at {} says of it",
                              last_.number, record.number, here));
  }

  bool broken(std::string_view place, std::string_view what) {
    fmt::print(out_, "{}: {}\n", place, what);
    return false;
  }

  std::FILE* const out_;
  AuditLink last_;
  std::string last_place_;
  uint64_t records_ = 0;
  uint64_t first_ = 0;
  uint64_t lost_ = 0;
  std::string from_;
  std::string to_;
};

std::expected<std::string, std::string> find_key(const std::string& key_file) {
  if (!key_file.empty()) {
    auto read = config::read_audit_key(key_file);
    if (!read) return std::unexpected(std::move(read.error()));
    return std::move(read->password);
  }
  auto settings = settings_in_force();
  if (!settings) return std::unexpected(std::move(settings.error()) + "; or give --key-file FILE");
  if (!settings->audit.key.empty()) return std::move(settings->audit.key);
  auto read = config::read_audit_key(own_audit_key_path(settings->server.state_dir));
  if (!read) return std::unexpected(std::move(read.error()) + "; or give --key-file FILE");
  return std::move(read->password);
}

}  // namespace

int run_audit_command(std::span<const std::string> words, std::FILE* out) {
  if (words.empty() || words[0] != "verify") {
    return fault("usage: tollkeeper audit verify [FILE...]");
  }
  if (words.size() > 1) return ChainWalk(out).run({words.begin() + 1, words.end()});
  const auto settings = settings_in_force();
  if (!settings) return fault(settings.error() + "; or name the files");
  if (settings->audit.file.empty()) {
    return fault("no audit log is configured: audit.file; or name the files");
  }
  return ChainWalk(out).run(rotated_files(settings->audit.file));
}

int run_pseudonymize_command(std::span<const std::string> words, std::FILE* out) {
  std::string key_file;
  if (!words.empty() && words[0] == "--key-file") {
    if (words.size() < 2) return fault("usage: tollkeeper pseudonymize [--key-file FILE] [ID...]");
    key_file = words[1];
    words = words.subspan(2);
  }
  auto key = find_key(key_file);
  if (!key) return fault(key.error());
  const Pseudonyms pseudonyms(std::move(*key));
  const auto print = [&](const std::string& id) {
    const std::string line = pseudonyms.of(id) + "  " + id + "\n";
    std::fwrite(line.data(), 1, line.size(), out);
  };
  for (const std::string& id : words) print(id);
  std::string id;
  while (words.empty() && std::getline(std::cin, id)) print(id);
  return 0;
}

}  // namespace toll::daemon
