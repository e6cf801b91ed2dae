// Looking through what former starts left: who we are, which segments are ours, what they hold.
#include <algorithm>
#include <cerrno>
#include <fmt/format.h>
#include <utility>

#include "daemon/journal_impl.h"

namespace toll::daemon {

using engine::kSegmentHeaderBytes;

namespace {

// Whether the next segment tells where this one ends.
bool is_continued_by(const Segment& segment, const Segment& next) {
  return next.header.number == segment.header.number + 1 &&
         next.header.epoch == segment.header.epoch && next.header.previous_end > 0;
}

}  // namespace

std::expected<Journal::Found, std::string> Journal::Impl::open(const std::string& machine_id,
                                                               uint64_t random_a,
                                                               uint64_t random_b) {
  machine_ = machine_id.substr(0, machine_id.find('\n'));
  auto candidates = find_candidates();
  if (!candidates) return std::unexpected(std::move(candidates.error()));
  auto who = find_identity(*candidates, node_of(random_a, random_b));
  if (!who) return std::unexpected(std::move(who.error()));
  sort_out(*candidates);
  for (size_t i = 0; i < segments_.size(); ++i) {
    if (auto looked = look_through(i); !looked) return std::unexpected(looked.error());
  }
  report_missing(*candidates);
  if (!segments_.empty()) make_sure_of_last();
  found_.segments = segments_.size();
  found_.oldest = oldest();
  if (damages_untold_ > 0) {
    found_.damages.push_back(fmt::format("and {} more damages", damages_untold_));
  }
  return std::exchange(found_, {});
}

// What was written before the process ended is about to be believed. It may never have been synced,
// and where a sync had failed, another tells nothing: so it is written anew.
void Journal::Impl::make_sure_of_last() {
  Segment& last = segments_.back();
  const auto written = write_anew(last);
  if (!written) {
    // For its room; there may be none of that name.
    [[maybe_unused]] const auto removed = files_->remove(kNextName);
    const auto file = reader(last.header.number);
    if (!file || !(*file)->sync() || !files_->sync_directory()) {
      damage(fmt::format("{} cannot be synced: what its last commit wrote may yet be lost ({})",
                         segment_name(last.header.number), written.error().text));
    }
  }
  reader_.reset();
  reader_number_ = 0;
}

Journal::Impl::Done Journal::Impl::write_anew(Segment& segment) {
  const auto from = reader(segment.header.number);
  if (!from) return std::unexpected(from.error());
  const auto to = create_anew(kNextName);
  if (!to) return std::unexpected(to.error());
  for (uint64_t offset = 0; offset < segment.end; offset += buffer_.size()) {
    buffer_.resize(std::min(kSpareStepBytes, segment.end - offset));
    const auto bytes = (*from)->read_at(offset, buffer_);
    if (!bytes) return std::unexpected(bytes.error());
    if (*bytes < buffer_.size()) {
      return std::unexpected(net::FileError{.code = EIO, .text = "it became shorter"});
    }
    const std::string_view piece(buffer_.data(), buffer_.size());
    if (auto written = (*to)->write_at(offset, piece); !written) return written;
  }
  if (auto synced = (*to)->sync(); !synced) return synced;
  const std::string name = segment_name(segment.header.number);
  if (auto renamed = files_->rename(kNextName, name); !renamed) return renamed;
  segment.size = segment.end;
  return files_->sync_directory();
}

std::expected<std::vector<Journal::Impl::Candidate>, std::string> Journal::Impl::find_candidates() {
  const auto names = files_->list();
  if (!names) return std::unexpected(names.error().text);
  std::vector<Candidate> candidates;
  for (const std::string& name : *names) {
    if (name == kNextName || name == kSpareName || name == kIdentityNewName) {
      left_over_.push_back(name);
    }
    const auto number = segment_number(name);
    if (!number) continue;
    if (*number >= kSegmentNumberMax) {
      damage(fmt::format("{} is no segment of ours: its number is too high; left alone", name));
      continue;
    }
    candidates.push_back({.number = *number, .header = {}});
  }
  std::ranges::sort(candidates, {}, &Candidate::number);
  for (Candidate& candidate : candidates) {
    const auto header = [&] {
      return load(candidate.number, kSegmentHeaderBytes, [](uint64_t, uint64_t) {});
    };
    auto bytes = header();
    if (!bytes) bytes = header();
    // What cannot be read now may be read by the next start, when what is in it comes too late.
    if (!bytes) {
      return std::unexpected(bytes.error().text +
                             "; what is in it would be missed. Move it away to start without it");
    }
    candidate.header = engine::decode_segment_header({bytes->data(), bytes->size()});
    if (candidate.header && candidate.header->number == candidate.number) continue;
    candidate.header.reset();
    damage(fmt::format("{}: its header is damaged, so nothing in it can be read; left alone",
                       segment_name(candidate.number)));
  }
  if (!candidates.empty()) next_number_ = candidates.back().number + 1;
  return candidates;
}

// Nullopt: there is none.
std::expected<std::optional<std::string>, std::string> Journal::Impl::identity_text() {
  const auto file = files_->open(kIdentityName);
  if (!file && file.error().code == ENOENT) return std::nullopt;
  if (!file) return std::unexpected(file.error().text);
  std::string text(kIdentityBytesMax, '\0');
  const auto got = (*file)->read_at(0, text);
  if (!got) return std::unexpected(got.error().text);
  text.resize(*got);
  return text;
}

std::expected<void, std::string> Journal::Impl::find_identity(
    const std::vector<Candidate>& candidates, const engine::NodeId& fresh) {
  const auto text = identity_text();
  if (!text) return std::unexpected(text.error());
  identity_.node = fresh;
  uint64_t epoch = 0;
  if (const auto kept = text->has_value() ? read_identity(**text) : std::nullopt) {
    if (kept->machine != machine_) {
      return std::unexpected(fmt::format(
          "the journal's directory was copied from another machine (its file '{}' says so), and "
          "two daemons must not write as one: give this machine a directory of its own; or, if "
          "the other will never run again or this is to be a daemon of its own, remove the file "
          "'{}' to begin under a new name; the segments of node {} are then left alone",
          kIdentityName, kIdentityName, engine::hexadecimal(kept->node)));
    }
    identity_.node = kept->node;
    epoch = kept->epoch;
  } else if (text->has_value()) {
    const auto newest = std::find_if(candidates.rbegin(), candidates.rend(),
                                     [](const Candidate& one) { return one.header.has_value(); });
    if (newest != candidates.rend()) identity_.node = newest->header->node;
    damage(
        fmt::format("the file '{}' is damaged; this daemon goes on as node {}, {}", kIdentityName,
                    engine::hexadecimal(identity_.node),
                    newest != candidates.rend() ? "which wrote the newest segment" : "a new one"));
  }
  for (const Candidate& candidate : candidates) {
    if (candidate.header && candidate.header->node == identity_.node) {
      epoch = std::max(epoch, candidate.header->epoch);
    }
  }
  identity_.epoch = epoch + 1;
  return {};
}

void Journal::Impl::sort_out(const std::vector<Candidate>& candidates) {
  uint64_t foreign = 0;
  const Candidate* example = nullptr;
  for (const Candidate& candidate : candidates) {
    if (!candidate.header) continue;
    if (candidate.header->node == identity_.node) {
      segments_.push_back({.header = *candidate.header, .closed = {}});
    } else {
      foreign += 1;
      example = &candidate;
    }
  }
  if (foreign == 0) return;
  damage(fmt::format(
      "{} segment(s) of another node are not read and not removed, the last being {} of node {}: "
      "move them away if they are not needed",
      foreign, segment_name(example->number), engine::hexadecimal(example->header->node)));
}

std::expected<void, std::string> Journal::Impl::look_through(size_t index) {
  settings_.progress();
  Segment& segment = segments_[index];
  const uint64_t number = segment.header.number;
  const std::string name = segment_name(number);
  const bool continued =
      index + 1 < segments_.size() && is_continued_by(segment, segments_[index + 1]);
  const uint64_t limit = continued ? segments_[index + 1].header.previous_end : kSegmentFileMax;

  const auto report = [&](uint64_t from, uint64_t to) {
    damage(fmt::format("{}: {} bytes from {} on are damaged, and skipped", name, to - from, from));
  };
  const auto bytes = load(number, limit, [&](uint64_t from, uint64_t to) {
    damage(
        fmt::format("{}: {} bytes from {} on cannot be read from the disk", name, to - from, from));
  });
  if (!bytes) return std::unexpected(bytes.error().text);
  const auto file = reader(number);
  const auto size = file ? (*file)->size() : std::unexpected(file.error());
  if (!size) return std::unexpected(size.error().text);
  segment.size = *size;
  if (continued && bytes->size() < limit) report(bytes->size(), limit);

  const std::string_view all(bytes->data(), bytes->size());
  const auto walked = walk(
      all.substr(std::min(all.size(), kSegmentHeaderBytes)), segment.header, kSegmentHeaderBytes,
      continued, [](const engine::Frame&) { return true; }, report);
  segment.first = walked.first;
  segment.end = walked.end;
  found_.frames += walked.frames;
  found_.torn_bytes += walked.torn;
  if (index + 1 < segments_.size()) segment.closed = segments_[index + 1].header.created;
  return {};
}

void Journal::Impl::report_missing(const std::vector<Candidate>& candidates) {
  for (size_t i = 1; i < segments_.size(); ++i) {
    const uint64_t before = segments_[i - 1].header.number;
    const uint64_t number = segments_[i].header.number;
    // Files that are there, though not for us to read, were spoken of already.
    const auto between = std::ranges::count_if(candidates, [&](const Candidate& one) {
      return one.number > before && one.number < number;
    });
    const uint64_t missing = number - before - 1 - static_cast<uint64_t>(between);
    if (missing == 0) continue;
    damage(fmt::format("{} segment(s) between {} and {} are missing", missing, segment_name(before),
                       segment_name(number)));
  }
}

void Journal::Impl::damage(std::string sentence) {
  if (found_.damages.size() < kDamagesMax) {
    found_.damages.push_back(std::move(sentence));
  } else {
    damages_untold_ += 1;
  }
}

}  // namespace toll::daemon
