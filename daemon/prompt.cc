#include "daemon/prompt.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <editline/readline.h>
#include <filesystem>
#include <fmt/format.h>
#include <optional>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "daemon/commands.h"
#include "daemon/completion.h"
#include "daemon/request_line.h"

namespace toll::daemon {
namespace {

constexpr int kHistoryMax = 1'000;
constexpr mode_t kOwnerOnly = 077;

// The path of the history, its folder made; "" where there is no home for one.
std::string history_path() {
  std::filesystem::path folder;
  if (const char* state = std::getenv("XDG_STATE_HOME"); state != nullptr && *state == '/') {
    folder = state;
  } else if (const char* home = std::getenv("HOME"); home != nullptr && *home == '/') {
    folder = std::filesystem::path(home) / ".local" / "state";
  } else {
    return "";
  }
  folder /= "tollkeeper";
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  return error ? "" : (folder / "history").string();
}

class Prompt {
 public:
  Prompt(ClientConnection connection, const ClientSettings& settings, ReplyPrinter& printer)
      : settings_(settings), printer_(printer), connection_(std::move(connection)) {}

  void run();
  std::vector<std::string> candidates(std::string_view before, std::string_view typed);

 private:
  void remember(const char* line);
  void answer(const std::string& line);
  void help(std::string_view verb);
  std::expected<Reply, std::string> ask(std::string_view request);
  const std::vector<std::string>& policies();

  const ClientSettings& settings_;
  ReplyPrinter& printer_;
  std::optional<ClientConnection> connection_;
  std::string history_;
  // Asked for at most once a line: a policy may be added meanwhile, but not between two tabs.
  std::optional<std::vector<std::string>> policies_;
};

// The line editor calls plain functions: what they work for, and what they hand out one by one.
Prompt* completing = nullptr;
std::vector<std::string> offered;

char* next_offered(const char* /*typed*/, int index) {
  const auto at = static_cast<size_t>(index);
  return at < offered.size() ? strdup(offered[at].c_str()) : nullptr;
}

char** complete(const char* typed, int begin, int /*end*/) {
  rl_attempted_completion_over = 1;  // or it would offer the names of files
  offered =
      completing->candidates(std::string_view(rl_line_buffer, static_cast<size_t>(begin)), typed);
  return offered.empty() ? nullptr : rl_completion_matches(typed, next_offered);
}

std::vector<std::string> Prompt::candidates(std::string_view before, std::string_view typed) {
  switch (expected_after(before)) {
    case Expected::kVerb:
      return matching(verb_names(), typed);
    case Expected::kPolicy:
      return matching(policies(), typed);
    case Expected::kNothing:
      return {};
  }
  return {};
}

const std::vector<std::string>& Prompt::policies() {
  if (policies_) return *policies_;
  policies_.emplace();
  const auto reply = ask("POLICIES\n");
  if (!reply) return *policies_;
  for (const std::string_view row : reply->rows) {
    const std::vector<Word> words = split_words(row);
    if (!words.empty()) policies_->push_back(words[0].text);
  }
  return *policies_;
}

std::expected<Reply, std::string> Prompt::ask(std::string_view request) {
  if (!connection_) {
    auto opened = ClientConnection::open(settings_);
    if (!opened) return std::unexpected(opened.error());
    connection_.emplace(std::move(*opened));
  }
  auto reply = connection_->ask(request);
  if (!reply) connection_.reset();
  return reply;
}

void Prompt::help(std::string_view verb) {
  for (const CommandInfo& info : commands()) {
    if (!verb.empty() && find_command(verb) != &info) continue;
    printer_.say(fmt::format("{}\n    {}", info.usage, info.help));
  }
  if (verb.empty()) printer_.say("help [verb]\n    This.\nexit, Ctrl-D\n    Leaves.");
}

void Prompt::answer(const std::string& line) {
  std::string request;
  if (!append_request_of_line(line, request)) return;
  const std::vector<Word> words = split_words(line);
  if (words[0].text == "help") return help(words.size() > 1 ? words[1].text : "");
  // Not asked again when the connection broke: whether the request had its effect is not known.
  const auto reply = ask(request);
  if (!reply) {
    printer_.complain(reply.error());
    return;
  }
  printer_.print(*reply);
  printer_.flush();
}

void Prompt::remember(const char* line) {
  const HIST_ENTRY* last =
      history_length > 0 ? history_get(history_base + history_length - 1) : nullptr;
  if (last != nullptr && std::strcmp(last->line, line) == 0) return;
  add_history(line);
  // After each line, so that a prompt that is killed forgets nothing.
  if (!history_.empty()) write_history(history_.c_str());
}

void Prompt::run() {
  const mode_t umask_before = umask(kOwnerOnly);
  history_ = history_path();
  rl_readline_name = "tollkeeper";
  rl_initialize();
  using_history();
  stifle_history(kHistoryMax);
  if (!history_.empty()) {
    chmod(history_.c_str(), S_IRUSR | S_IWUSR);  // whoever made it, and with whatever mode
    read_history(history_.c_str());
  }
  completing = this;
  rl_attempted_completion_function = complete;
  rl_completer_word_break_characters = const_cast<char*>(" \t");

  while (true) {
    char* typed = readline("tollkeeper> ");
    if (typed == nullptr) {
      printer_.say("");  // Ctrl-D leaves the cursor behind the prompt
      break;
    }
    const std::string line = typed;
    std::free(typed);
    const std::vector<Word> words = split_words(line);
    if (words.empty()) continue;
    remember(line.c_str());
    if (words[0].text == "exit") break;
    policies_.reset();
    answer(line);
  }
  completing = nullptr;
  umask(umask_before);
}

}  // namespace

void run_prompt(ClientConnection connection, const ClientSettings& settings,
                ReplyPrinter& printer) {
  Prompt prompt(std::move(connection), settings, printer);
  prompt.run();
}

}  // namespace toll::daemon
