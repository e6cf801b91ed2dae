#include "daemon/store_news.h"

#include <cassert>

namespace toll::daemon {
namespace {

constexpr char kFormat = 1;

void put_length(std::string& out, size_t length) {
  assert(length <= UINT16_MAX);
  out.push_back(static_cast<char>(length & 0xff));
  out.push_back(static_cast<char>(length >> 8));
}

size_t length_at(std::string_view bytes, size_t offset) {
  return static_cast<unsigned char>(bytes[offset]) |
         static_cast<size_t>(static_cast<unsigned char>(bytes[offset + 1])) << 8;
}

}  // namespace

void StoreNews::happened(const engine::KeyHash& key) {
  keys_[seen_ % kRemembered] = key;
  ++seen_;
}

void StoreNews::happened_to_all() {
  ++seen_;
  all_at_ = seen_;
}

bool StoreNews::still_holds(const engine::KeyHash& key, uint64_t mark) const {
  if (mark < all_at_ || seen_ - mark > kRemembered) return false;
  for (uint64_t event = mark; event < seen_; ++event) {
    if (keys_[event % kRemembered] == key) return false;
  }
  return true;
}

void StoreNews::tell(std::string_view policy, std::string_view id) {
  if (all_) return;
  std::string& entry = message_;
  entry.clear();
  put_length(entry, policy.size());
  put_length(entry, id.size());
  entry += policy;
  entry += id;
  if (entry == last_) return;  // the usual repeat: one client's refunds
  last_ = entry;
  if (1 + kSenderBytes + entries_.size() + entry.size() > kMessageMax) return tell_all();
  entries_ += entry;
}

void StoreNews::tell_all() {
  all_ = true;
  entries_.assign(4, '\0');
}

std::string_view StoreNews::take_message(std::string_view sender) {
  assert(sender.size() == kSenderBytes);
  if (entries_.empty()) return {};
  message_.assign(1, kFormat);
  message_ += sender;
  message_ += entries_;
  entries_.clear();
  last_.clear();
  all_ = false;
  return message_;
}

bool StoreNews::read(std::string_view message, std::string_view self,
                     const std::function<void(std::string_view, std::string_view)>& on_key,
                     const std::function<void()>& on_all) {
  if (message.size() < 1 + kSenderBytes || message[0] != kFormat) return false;
  if (message.substr(1, kSenderBytes) == self) return true;
  std::string_view rest = message.substr(1 + kSenderBytes);
  while (!rest.empty()) {
    if (rest.size() < 4) return false;
    const size_t policy = length_at(rest, 0);
    const size_t id = length_at(rest, 2);
    rest.remove_prefix(4);
    if (rest.size() < policy + id) return false;
    if (policy == 0 && id == 0) {
      on_all();
    } else {
      on_key(rest.substr(0, policy), rest.substr(policy, id));
    }
    rest.remove_prefix(policy + id);
  }
  return true;
}

}  // namespace toll::daemon
