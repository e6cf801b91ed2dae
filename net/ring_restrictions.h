// What a ring of ours may be asked for: the operations of the loop and nothing else.
//
// A ring passes by the filters on system calls that a service manager sets up, so whoever takes
// over this process could open files and sockets through it. Linux lets a ring be restricted
// before it is first used, and for good; files and sockets are opened by plain system calls, which
// the filters see.
#pragma once

#include <liburing.h>

namespace toll::net {

// Limits a ring that was made with IORING_SETUP_R_DISABLED to what net/uring_loop.cc uses, and lets
// it be used. All that is registered with it must be by then. Where the kernel does not know
// restrictions the ring is as it was before there were any. Returns 0, or the errno for which it
// cannot be used.
int restrict_and_enable(io_uring& ring);

}  // namespace toll::net
