// The screen of `tollkeeper top`: what two looks at a daemon, some time apart, come to.
//
// Pure; any thread; allocates.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "daemon/daemon_view.h"

namespace toll::daemon {

struct ScreenSize {
  size_t rows = 24;
  size_t columns = 80;
};

// Lines of printable ASCII that fit: at most `size.rows` of at most `size.columns`. What matters
// most comes first, so that little room cuts off the rest. Rates are those between `before` and
// `now`; a daemon that was started in between has none.
std::vector<std::string> top_lines(const DaemonView& before, const DaemonView& now,
                                   ScreenSize size);

// Of how many keys such a screen tells at most.
inline constexpr size_t kTopHotKeys = 50;

}  // namespace toll::daemon
