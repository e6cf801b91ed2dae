// A first-in first-out list of completions, threaded through the completions themselves, so that a
// back-end keeps any number of them waiting without allocating. A completion is on one list at
// most. Belongs to a loop and its thread.
#pragma once

#include <cassert>
#include <utility>

#include "net/loop.h"

namespace toll::net {

class CompletionList {
 public:
  CompletionList() = default;
  CompletionList(CompletionList&& other) noexcept
      : first_(std::exchange(other.first_, nullptr)), last_(std::exchange(other.last_, nullptr)) {}
  CompletionList(const CompletionList&) = delete;
  CompletionList& operator=(const CompletionList&) = delete;

  bool empty() const { return first_ == nullptr; }

  // REQUIRES: `completion` is on no list.
  void push(Completion& completion) {
    assert(!completion.listed_ && completion.next_ == nullptr);
    completion.listed_ = true;
    if (first_ == nullptr) {
      first_ = &completion;
    } else {
      last_->next_ = &completion;
    }
    last_ = &completion;
  }

  // The oldest, or null when empty.
  Completion* pop() {
    Completion* completion = first_;
    if (completion == nullptr) return nullptr;
    first_ = std::exchange(completion->next_, nullptr);
    completion->listed_ = false;
    return completion;
  }

 private:
  Completion* first_ = nullptr;
  Completion* last_ = nullptr;
};

}  // namespace toll::net
