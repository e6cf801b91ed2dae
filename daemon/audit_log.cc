#include "daemon/audit_log.h"

#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <set>
#include <spdlog/spdlog.h>
#include <utility>

namespace toll::daemon {
namespace {

// Of the end of a file that is looked through for its last line. No line is as long.
constexpr size_t kTailBytes = size_t{64} << 10;

// A disk that took everything for so long is well again: on a full one there may be room for a
// short record between two that find none.
constexpr engine::TimeUs kWellAfterUs = 1'000'000;

// How a record begins.
constexpr std::string_view kBeginning = "{\"number\":";

bool may_begin_record(std::string_view text) {
  const size_t bytes = std::min(text.size(), kBeginning.size());
  return text.substr(0, bytes) == kBeginning.substr(0, bytes);
}

net::FileError foreign(const std::string& name) {
  return {.code = EEXIST,
          .text = fmt::format("{} holds something else than an audit log; move it away, or set "
                              "audit.file to another name",
                              name)};
}

}  // namespace

AuditLog::AuditLog(std::unique_ptr<net::FileSystem> files, Settings settings)
    : files_(std::move(files)), settings_(std::move(settings)) {}

std::expected<std::unique_ptr<AuditLog>, std::string> AuditLog::open(
    std::unique_ptr<net::FileSystem> files, Settings settings, engine::TimeUs now) {
  std::unique_ptr<AuditLog> log(new AuditLog(std::move(files), std::move(settings)));
  auto last = log->last_of_rotated();
  if (!last) return std::unexpected(std::move(last.error().text));
  log->last_ = *last;
  if (auto opened = log->open_file(now); !opened) return std::unexpected(opened.error().text);
  return log;
}

std::string AuditLog::rotated(uint32_t number) const {
  return fmt::format("{}.{}", settings_.name, number);
}

std::expected<AuditLog::Tail, net::FileError> AuditLog::read_tail(net::File& file,
                                                                  const std::string& name) {
  const auto size = file.size();
  if (!size) return std::unexpected(size.error());
  std::string text(std::min<uint64_t>(*size, kTailBytes), '\0');
  const auto got = file.read_at(*size - text.size(), text);
  if (!got) return std::unexpected(got.error());
  text.resize(*got);
  const size_t end = text.rfind('\n') + 1;  // 0: there is none
  const std::string_view torn = std::string_view(text).substr(end);
  if (!may_begin_record(torn) || (end == 0 && *size > text.size())) {
    return std::unexpected(foreign(name));
  }
  Tail tail{.bytes = *size - torn.size(), .torn = torn.size(), .last = {}};
  if (end == 0) return tail;
  const std::string_view lines = std::string_view(text).substr(0, end - 1);
  const std::string_view line = lines.substr(lines.rfind('\n') + 1);
  const auto record = parse_audit_line(line);
  if (!record) return std::unexpected(foreign(name));
  tail.last = {.number = record->number, .hash = sha256_hex(line)};
  return tail;
}

// Where the chain ended before the file at hand was begun.
std::expected<AuditLink, net::FileError> AuditLog::last_of_rotated() {
  auto file = files_->open(rotated(1));
  if (!file && file.error().code == ENOENT) return AuditLink{};
  if (!file) return std::unexpected(std::move(file.error()));
  const auto tail = read_tail(**file, rotated(1));
  if (!tail) return std::unexpected(tail.error());
  return tail->last;
}

AuditLog::Done AuditLog::open_file(engine::TimeUs now) {
  file_.reset();
  auto file = files_->open(settings_.name);
  if (!file && file.error().code == ENOENT) {
    file = files_->create(settings_.name);
    if (file) {
      if (auto synced = files_->sync_directory(); !synced) return synced;
    }
  }
  if (!file) return std::unexpected(std::move(file.error()));
  const auto tail = read_tail(**file, settings_.name);
  if (!tail) return std::unexpected(tail.error());
  if (tail->torn > 0) {
    if (auto cut = (*file)->truncate(tail->bytes); !cut) return cut;
    add(now, "torn", fmt::format(",\"bytes\":{}", tail->torn));
  }
  if (tail->last.number > last_.number) last_ = tail->last;
  file_ = std::move(*file);
  bytes_ = tail->bytes;
  ragged_ = false;
  return {};
}

void AuditLog::add(engine::TimeUs time, std::string_view kind, std::string fields) {
  pending_.push_back({time, std::string(kind), std::move(fields)});
}

void AuditLog::lose(uint64_t records) {
  untold_ += records;
  figures_.lost.add(records);
}

void AuditLog::flush(engine::TimeUs now) {
  if (pending_.empty() && untold_ == 0) return look_whether_well(now);
  AuditLink link = last_;
  std::string bytes;
  const auto put = [&](engine::TimeUs time, std::string_view kind, std::string_view fields) {
    const std::string line = audit_line(link, time, kind, fields, settings_.key_id);
    link = {.number = link.number + 1, .hash = sha256_hex(line)};
    bytes += line + '\n';
  };
  if (untold_ > 0) put(now, "gap", fmt::format(",\"lost\":{}", untold_));
  for (const Pending& each : pending_) put(each.time, each.kind, each.fields);
  const auto records = std::exchange(pending_, {});
  if (auto written = write(bytes, now); !written) {
    lose(records.size());
    return failed(written.error(), now);
  }
  figures_.records.add(link.number - last_.number);
  last_ = std::move(link);
  untold_ = 0;
  look_whether_well(now);
}

void AuditLog::look_whether_well(engine::TimeUs now) {
  if (!failing_ || now < failed_at_ + kWellAfterUs) return;
  failing_ = false;
  spdlog::info("the audit log is written again; {} records are missing in all",
               figures_.lost.get());
}

AuditLog::Done AuditLog::write(std::string_view bytes, engine::TimeUs now) {
  if (file_ == nullptr) {
    if (auto opened = open_file(now); !opened) return opened;
  }
  if (ragged_) {
    if (auto cut = file_->truncate(bytes_); !cut) return cut;
    ragged_ = false;
  }
  if (bytes_ > 0 && bytes_ + bytes.size() > settings_.bytes_max) {
    if (auto rotated = rotate(now); !rotated) failed(rotated.error(), now);
    if (file_ == nullptr) {
      if (auto opened = open_file(now); !opened) return opened;
    }
  }
  if (auto written = file_->write_at(bytes_, bytes); !written) {
    ragged_ = !file_->truncate(bytes_);
    return written;
  }
  bytes_ += bytes.size();
  unsynced_ = true;
  return {};
}

// An error leaves the names as far as they came: the next time goes on from there.
AuditLog::Done AuditLog::rotate(engine::TimeUs now) {
  sync(now);
  const auto listed = files_->list();
  if (!listed) return std::unexpected(listed.error());
  const std::set<std::string> names(listed->begin(), listed->end());
  for (uint32_t number = settings_.keep; number-- > 1;) {
    if (!names.contains(rotated(number))) continue;
    if (auto moved = files_->rename(rotated(number), rotated(number + 1)); !moved) return moved;
  }
  if (auto moved = files_->rename(settings_.name, rotated(1)); !moved) return moved;
  file_.reset();
  return files_->sync_directory();
}

void AuditLog::failed(const net::FileError& error, engine::TimeUs now) {
  figures_.errors.add();
  failed_at_ = now;
  if (failing_) return;
  failing_ = true;
  spdlog::error("the audit log: {}; its records are counted until it can be written", error.text);
}

// Only what the machine loses with its power needs it, so an error is told and no more.
void AuditLog::sync(engine::TimeUs now) {
  if (!std::exchange(unsynced_, false) || file_ == nullptr) return;
  if (auto synced = file_->sync(); !synced) failed(synced.error(), now);
}

void AuditLog::reopen(engine::TimeUs now) {
  flush(now);
  sync(now);
  if (auto opened = open_file(now); !opened) failed(opened.error(), now);
}

}  // namespace toll::daemon
