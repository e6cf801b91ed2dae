#include "daemon/daemon_view.h"

#include <charconv>
#include <fmt/format.h>

#include "daemon/reply_reader.h"

namespace toll::daemon {
namespace {

constexpr std::string_view kPolicyFigures = "policy_";

std::vector<std::string> texts_of(std::string_view line) {
  std::vector<std::string> texts;
  for (Word& word : split_words(line)) texts.push_back(std::move(word.text));
  return texts;
}

std::vector<std::vector<std::string>> rows_of(const Reply& reply) {
  std::vector<std::vector<std::string>> rows;
  for (const std::string_view row : reply.rows) rows.push_back(texts_of(row));
  return rows;
}

// The reply of a request that cannot but succeed, unless the daemon is none.
std::expected<Reply, std::string> ask_for(ClientConnection& connection, const char* request) {
  auto reply = connection.ask(request);
  if (reply && reply->kind == ReplyKind::kError) return std::unexpected(std::string(reply->line));
  return reply;
}

}  // namespace

std::string_view DaemonView::health_word(std::string_view name) const {
  const auto found = health.find(name);
  return found == health.end() ? std::string_view() : found->second;
}

uint64_t DaemonView::figure(std::string_view name) const {
  const auto found = stats.find(name);
  uint64_t value = 0;
  if (found == stats.end()) return value;
  const std::string& text = found->second;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

std::expected<DaemonView, std::string> look(ClientConnection& connection, size_t hot) {
  DaemonView view;
  view.asked_at = std::chrono::steady_clock::now();
  auto reply = ask_for(connection, "HEALTH\n");
  if (!reply) return std::unexpected(reply.error());
  for (const std::string& word : texts_of(reply->line)) {
    const size_t equals = word.find('=');
    if (equals != std::string::npos) {
      view.health.emplace(word.substr(0, equals), word.substr(equals + 1));
    } else if (word != "OK") {
      view.state = word;
    }
  }
  reply = ask_for(connection, "STATS\n");
  if (!reply) return std::unexpected(reply.error());
  for (auto& row : rows_of(*reply)) {
    if (row.size() != 2) continue;
    view.stats_order.push_back(row[0]);
    view.stats[std::move(row[0])] = std::move(row[1]);
  }
  reply = ask_for(connection, "POLICIES\n");
  if (!reply) return std::unexpected(reply.error());
  view.policies = rows_of(*reply);
  reply = ask_for(connection, "VERSION\n");
  if (!reply) return std::unexpected(reply.error());
  view.version = reply->line.substr(std::string_view("OK ").size());
  if (hot == 0) return view;
  const auto hottest = connection.ask(fmt::format("HOT {}\n", hot));
  if (!hottest) return std::unexpected(hottest.error());
  if (hottest->kind == ReplyKind::kList) view.hot = rows_of(*hottest);
  return view;
}

std::string_view policy_of_figure(std::string_view name, std::string_view suffix) {
  if (!name.starts_with(kPolicyFigures) || !name.ends_with(suffix)) return {};
  if (name.size() <= kPolicyFigures.size() + suffix.size()) return {};
  name.remove_suffix(suffix.size());
  return name.substr(kPolicyFigures.size());
}

}  // namespace toll::daemon
