#include "bench/fill.h"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <fmt/format.h>
#include <sys/socket.h>
#include <vector>

#include "bench/limits.h"
#include "bench/reply_counter.h"
#include "bench/request_script.h"
#include "bench/socket.h"

namespace toll::bench {

std::expected<void, std::string> fill_keys(const std::string& socket_path,
                                           const std::string& policy, uint32_t keys) {
  const auto socket = connect_to(socket_path);
  if (!socket) return std::unexpected(socket.error());
  ReplyCounter counter(Framing::kLine);
  ReplyCounts counts;
  std::vector<char> buffer(kReceiveBytes);
  std::string batch;
  for (uint32_t first = 0; first < keys; first += kFillBatch) {
    const auto last = static_cast<uint32_t>(std::min<size_t>(keys, first + kFillBatch));
    batch.clear();
    for (uint32_t id = first; id < last; ++id) {
      append_request(Framing::kLine, Verb::kCheck, policy, id_text(id), {}, batch);
    }
    if (auto sent = send_all(*socket, batch); !sent) return std::unexpected(sent.error());
    for (uint32_t left = last - first; left > 0;) {
      const ssize_t got = recv(socket->fd(), buffer.data(), buffer.size(), 0);
      if (got < 0 && errno == EINTR) continue;
      if (got <= 0) return std::unexpected(fmt::format("the daemon closed after {} keys", first));
      left -= std::min(left, counter.count({buffer.data(), static_cast<size_t>(got)}, counts));
    }
    if (counts.error + counts.unknown > 0) return std::unexpected(counter.first_error());
  }
  return {};
}

}  // namespace toll::bench
