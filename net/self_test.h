// Which back-end to use: a start-up trial of io_uring on this very kernel, and the choice made from
// it. Versions and feature flags lie (distributions patch, containers forbid, and some kernels lose
// the end of a Unix stream); trying is quick. To be called before the workers start; uses a thread
// of its own, which is gone on return, and leaves nothing behind.
#pragma once

#include <expected>
#include <string>
#include <string_view>

#include "net/loop.h"

namespace toll::net {

// Makes a ring and has it accept, receive and be woken as a busy daemon would. Takes some ten
// milliseconds; up to a second or so if it fails. The error is a sentence.
std::expected<void, std::string> self_test_uring();

struct BackendChoice {
  Backend backend = Backend::kEpoll;
  std::string reason;  // one line for the log: which and why
};

// `wanted` is auto, io_uring or epoll. An error if it is none of them, or if io_uring is demanded
// and cannot be used.
std::expected<BackendChoice, std::string> choose_backend(std::string_view wanted);

}  // namespace toll::net
