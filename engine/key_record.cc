#include "engine/key_record.h"

namespace toll::engine {

static_assert(sizeof(KeyHeader) == kBlockBytes);
static_assert(sizeof(KeyContinuation) == kBlockBytes);
static_assert(sizeof(KeyShape) == 1);

void read_states(const BlockStore& store, const KeyHeader& key, std::span<std::byte> out) {
  size_t part = std::min(out.size(), KeyHeader::kStateBytes);
  std::memcpy(out.data(), key.state.data(), part);
  out = out.subspan(part);
  for (BlockHandle block = key.next; !out.empty(); block = store.next_of(block)) {
    part = std::min(out.size(), KeyContinuation::kStateBytes);
    std::memcpy(out.data(), store.at<KeyContinuation>(block).state.data(), part);
    out = out.subspan(part);
  }
}

void write_states(BlockStore& store, KeyHeader& key, std::span<const std::byte> in) {
  size_t part = std::min(in.size(), KeyHeader::kStateBytes);
  std::memcpy(key.state.data(), in.data(), part);
  in = in.subspan(part);
  for (BlockHandle block = key.next; !in.empty(); block = store.next_of(block)) {
    part = std::min(in.size(), KeyContinuation::kStateBytes);
    std::memcpy(store.at<KeyContinuation>(block).state.data(), in.data(), part);
    in = in.subspan(part);
  }
}

}  // namespace toll::engine
