#include "daemon/journal_command.h"

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cstring>
#include <expected>
#include <fcntl.h>
#include <filesystem>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <map>
#include <optional>
#include <string_view>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>
#include <vector>

#include "config/host.h"
#include "config/load.h"
#include "engine/journal_record.h"
#include "engine/money.h"

namespace toll::daemon {
namespace {

using engine::JournalRecord;
using engine::RecordKind;
using engine::SegmentHeader;

constexpr std::string_view kUsage = "usage: tollkeeper journal ls|verify|dump [DIRECTORY]";
constexpr std::string_view kSuffix = ".journal";

// A file, mapped as it is now.
class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path) {
    const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
    struct stat status{};
    if (fd >= 0 && ::fstat(fd, &status) == 0) {
      size_ = static_cast<size_t>(status.st_size);
      if (size_ > 0) data_ = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd, 0);
    }
    if (fd < 0 || data_ == MAP_FAILED) error_ = std::strerror(errno);
    if (fd >= 0) ::close(fd);
  }
  ~MappedFile() {
    if (data_ != nullptr && data_ != MAP_FAILED) ::munmap(data_, size_);
  }
  MappedFile(const MappedFile&) = delete;
  MappedFile& operator=(const MappedFile&) = delete;

  const std::string& error() const { return error_; }
  std::string_view bytes() const {
    return {static_cast<const char*>(data_), data_ == nullptr ? 0 : size_};
  }

 private:
  void* data_ = nullptr;
  size_t size_ = 0;
  std::string error_;
};

std::string_view kind_name(RecordKind kind) {
  switch (kind) {
    case RecordKind::kCharge:
      return "charge";
    case RecordKind::kSettle:
      return "settle";
    case RecordKind::kBudget:
      return "budget";
    case RecordKind::kHold:
      return "hold";
    case RecordKind::kCancel:
      return "cancel";
    case RecordKind::kTotal:
      return "total";
    case RecordKind::kKey:
      return "key";
    case RecordKind::kApplied:
      return "applied";
    case RecordKind::kLogs:
      return "logs";
    case RecordKind::kLog:
      return "log";
  }
  return "unknown";
}

std::string time_text(engine::TimeUs time) {
  const auto seconds = std::chrono::sys_seconds(std::chrono::seconds(time / 1'000'000));
  return fmt::format("{:%Y-%m-%dT%H:%M:%S}.{:06}Z",
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), time % 1'000'000);
}

// As a JSON string; also how the plain form shows an id: nothing in it reaches a terminal raw.
std::string json_text(std::string_view text) {
  std::string out = "\"";
  for (const char each : text) {
    const auto byte = static_cast<unsigned char>(each);
    if (each == '"' || each == '\\') {
      out += {'\\', each};
    } else if (byte < 0x20 || byte >= 0x7f) {
      out += fmt::format("\\u{:04x}", byte);
    } else {
      out += each;
    }
  }
  return out + "\"";
}

std::string amount_text(const JournalRecord& record) {
  if (record.kind == RecordKind::kApplied) return fmt::format("{}:{}", record.amount, record.extra);
  if (record.kind == RecordKind::kLogs) return fmt::format("{}", record.amount);
  if (record.amount == engine::kNoBudget) return "none";
  if (record.amount < 0) return "default";
  return engine::format_dollars(record.amount);
}

class JournalCommand {
 public:
  JournalCommand(std::string_view what, bool json, std::FILE* out)
      : dumps_(what == "dump"), lists_(what == "ls"), json_(json), out_(out) {}

  int run(const std::filesystem::path& directory) {
    std::error_code error;
    std::map<std::string, std::filesystem::path> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory, error)) {
      const std::string name = entry.path().filename();
      if (name.ends_with(kSuffix)) names[name] = entry.path();
    }
    if (error) {
      fmt::print(stderr, "tollkeeper: {}: {}\n", directory.string(), error.message());
      return 2;
    }
    if (lists_ && !json_) {
      fmt::print(out_, "{:<28} {:>6}  {:<27} {:>8} {:>9} {:>10}  {}\n", "segment", "epoch", "begun",
                 "frames", "records", "bytes", "state");
    }
    for (auto at = names.begin(); at != names.end(); ++at) {
      const auto next = std::next(at);
      look(at->first, at->second, next == names.end() ? nullptr : &next->second);
    }
    if (!dumps_ && !lists_) {
      fmt::print(out_, "{} segments, {} frames, {} records: {}\n", names.size(), frames_, records_,
                 damaged_ ? "damaged" : "sound");
    }
    return damaged_ ? 1 : 0;
  }

 private:
  void damage(std::string_view name, const std::string& what) {
    damaged_ = true;
    state_ = "damaged";
    fmt::print(stderr, "tollkeeper: {}: {}\n", name, what);
  }

  // Where a segment must end, as the one behind it says.
  static std::optional<uint64_t> sealed_end(const SegmentHeader& header,
                                            const std::filesystem::path* next) {
    if (next == nullptr) return std::nullopt;
    const MappedFile file(*next);
    const auto behind = engine::decode_segment_header(file.bytes());
    if (!behind || behind->number != header.number + 1 || behind->epoch != header.epoch) {
      return std::nullopt;
    }
    return behind->previous_end == 0 ? std::nullopt : std::optional(behind->previous_end);
  }

  void look(const std::string& name, const std::filesystem::path& path,
            const std::filesystem::path* next) {
    const MappedFile file(path);
    state_ = "whole";
    const uint64_t frames_before = frames_;
    const uint64_t records_before = records_;
    const auto header = engine::decode_segment_header(file.bytes());
    if (!file.error().empty()) {
      damage(name, file.error());
    } else if (!header) {
      damage(name, "its header is no header of a journal, or damaged");
    } else {
      walk(name, file.bytes(), *header, sealed_end(*header, next));
    }
    if (!lists_) return;
    const uint64_t frames = frames_ - frames_before;
    const uint64_t records = records_ - records_before;
    const uint64_t epoch = header ? header->epoch : 0;
    const std::string begun = header ? time_text(header->created) : "";
    if (json_) {
      fmt::print(out_,
                 "{{\"segment\":{},\"epoch\":{},\"begun\":\"{}\",\"frames\":{},\"records\":{},"
                 "\"bytes\":{},\"state\":\"{}\"}}\n",
                 json_text(name), epoch, begun, frames, records, file.bytes().size(), state_);
    } else {
      fmt::print(out_, "{:<28} {:>6}  {:<27} {:>8} {:>9} {:>10}  {}\n", name, epoch, begun, frames,
                 records, file.bytes().size(), state_);
    }
  }

  void walk(const std::string& name, std::string_view bytes, const SegmentHeader& header,
            std::optional<uint64_t> sealed) {
    if (sealed && *sealed > bytes.size()) damage(name, "it is shorter than it was");
    const std::string_view counted = bytes.substr(0, sealed.value_or(bytes.size()));
    engine::FrameReader reader(counted.substr(engine::kSegmentHeaderBytes), header,
                               engine::kSegmentHeaderBytes);
    while (true) {
      while (const auto frame = reader.next()) show(name, header, *frame);
      const uint64_t from = reader.offset();
      if (from >= counted.size() || (!sealed && reader.rest_is_zero())) return;
      const auto again = reader.resynchronize();
      if (again) {
        damage(name, fmt::format("{} bytes at {} are damaged", *again - from, from));
        continue;
      }
      if (sealed) {
        damage(name, fmt::format("{} bytes at {}, its end, are damaged", *sealed - from, from));
      } else {
        state_ = "torn";
        if (!lists_ && !dumps_) {
          fmt::print(out_, "{}: what follows {} was never acknowledged\n", name, from);
        }
      }
      return;
    }
  }

  void show(const std::string& name, const SegmentHeader& header, const engine::Frame& frame) {
    ++frames_;
    engine::RecordReader reader(frame.records);
    JournalRecord record;
    while (reader.next(record)) {
      ++records_;
      if (dumps_) print(header, frame, record);
    }
    if (reader.failed()) {
      damage(name, fmt::format("the frame at {} holds a record of a newer version", frame.offset));
    }
  }

  void print(const SegmentHeader& header, const engine::Frame& frame, const JournalRecord& record) {
    const auto worker = static_cast<int32_t>(frame.worker);
    if (json_) {
      fmt::print(out_,
                 "{{\"segment\":{},\"offset\":{},\"epoch\":{},\"worker\":{},\"sequence\":{},"
                 "\"kind\":\"{}\",\"time\":\"{}\",\"amount\":\"{}\",\"extra\":{},\"id\":{},"
                 "\"key\":{}}}\n",
                 header.number, frame.offset, header.epoch, worker, record.sequence,
                 kind_name(record.kind), time_text(record.time), amount_text(record), record.extra,
                 json_text(record.id), json_text(record.key));
    } else {
      fmt::print(out_, "{}:{} {}:{}:{} {} {} {} {} {}\n", header.number, frame.offset, header.epoch,
                 worker, record.sequence, time_text(record.time), kind_name(record.kind),
                 amount_text(record), json_text(record.id), json_text(record.key));
    }
  }

  const bool dumps_;
  const bool lists_;
  const bool json_;
  std::FILE* const out_;
  uint64_t frames_ = 0;
  uint64_t records_ = 0;
  bool damaged_ = false;
  std::string_view state_;
};

}  // namespace

int run_journal_command(std::span<const std::string> words, bool json, std::FILE* out) {
  const bool known = !words.empty() && words.size() <= 2 &&
                     (words[0] == "ls" || words[0] == "verify" || words[0] == "dump");
  if (!known) {
    fmt::print(stderr, "tollkeeper: {}\n", kUsage);
    return 2;
  }
  std::filesystem::path directory =
      words.size() == 2 ? words[1] : config::default_state_dir(config::process_environment()).path;
  std::error_code error;
  if (std::filesystem::is_directory(directory / "journal", error)) directory /= "journal";
  return JournalCommand(words[0], json, out).run(directory);
}

}  // namespace toll::daemon
