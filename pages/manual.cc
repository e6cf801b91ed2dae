#include "pages/manual.h"

#include <fmt/format.h>
#include <map>
#include <utility>

#include "config/keys.h"
#include "config/load.h"
#include "config/policies.h"
#include "pages/roff.h"

namespace toll::pages {
namespace {

constexpr std::string_view kPages =
    "tollkeeper(1), tollkeeper-bench(1), tollkeeper.toml(5), tollkeeperd(8)";

void add_options(Roff& page, const Program& program) {
  page.heading("OPTIONS");
  for (const ProgramOption& option : program.options) {
    std::string term = fmt::format("{}", fmt::join(option.names, ", "));
    if (!option.choices.empty()) {
      term += fmt::format(" {}", fmt::join(option.choices, "|"));
    } else if (!option.value.empty()) {
      term += " " + option.value;
    }
    std::string meaning = option.help;
    if (!option.initial.empty()) meaning += fmt::format(" (default: {})", option.initial);
    page.item(term, meaning + ".");
  }
}

Roff page_of(const Program& program, std::string_view section, std::string_view words) {
  Roff page(program.name, section, program.summary);
  page.heading("SYNOPSIS");
  page.text(fmt::format("{} [OPTIONS]{}", program.name, words));
  if (!program.about.empty()) {
    page.heading("DESCRIPTION");
    page.text(program.about);
  }
  add_options(page, program);
  return page;
}

// What the shipped file says: comments on each key ("server.workers"), on each section and on the
// file as a whole (""), and the keys' defaults.
class ShippedComments {
 public:
  explicit ShippedComments(std::string_view file) {
    while (!file.empty()) {
      const std::string_view line = file.substr(0, file.find('\n'));
      file.remove_prefix(std::min(file.size(), line.size() + 1));
      read(line);
    }
  }

  // Null: nothing is said of it by itself.
  const std::string* find(const std::string& name) const { return find_in(comments_, name); }
  // As TOML; null: the key is not there.
  const std::string* find_default(const std::string& key) const { return find_in(defaults_, key); }

 private:
  using Texts = std::map<std::string, std::string>;

  static const std::string* find_in(const Texts& texts, const std::string& name) {
    const auto found = texts.find(name);
    return found == texts.end() ? nullptr : &found->second;
  }

  void read(std::string_view line) {
    std::string_view text = line;
    if (text.starts_with("# ")) text.remove_prefix(2);
    const std::string_view word = text.substr(0, text.find(' '));
    if (line.starts_with('[')) {
      section_ = line.substr(1, line.find(']') - 1);
      if (comment_.empty()) comment_ = apart_;
      return tell(section_);
    }
    if (text.substr(word.size()).starts_with(" = ")) {
      const std::string key = fmt::format("{}.{}", section_, word);
      defaults_.emplace(key, text.substr(text.find(" = ") + 3));
      return tell(key);
    }
    if (line.starts_with('#')) {
      comment_ += fmt::format("{}\n", line == "#" ? "" : text);
      return;
    }
    // A comment by itself is the file's.
    if (section_.empty()) tell("");
    apart_ = std::exchange(comment_, "");
  }

  void tell(std::string_view name) {
    if (!comment_.empty()) comments_.emplace(name, comment_);
    comment_.clear();
  }

  std::string section_;
  std::string comment_;
  std::string apart_;  // the one before an empty line: a section's, if that comes next
  Texts comments_;
  Texts defaults_;
};

// The comment on policies stands before the first of them.
const std::string* find_policies(const ShippedComments& comments) {
  for (const config::PolicyDraft& policy : config::shipped_policies()) {
    if (const auto* found = comments.find("policies." + policy.spec.name)) return found;
  }
  return nullptr;
}

void add_key(Roff& page, std::string_view name, const std::string* comment,
             const std::string& facts) {
  page.item(name, comment == nullptr ? facts : *comment);
  if (comment != nullptr) page.continued(facts);
}

}  // namespace

std::string command_page(const Program& program) {
  Roff page = page_of(program, "1", " [VERB ARGUMENTS...]");
  const auto rules = word_rules();
  page.heading("COMMANDS OF ITS OWN");
  for (const WordRule& rule : rules) {
    if (rule.own) page.item("tollkeeper " + rule.usage, rule.help);
  }
  page.heading("REQUESTS");
  for (const WordRule& rule : rules) {
    if (!rule.own) page.item(rule.usage, rule.help);
  }
  page.see_also(kPages);
  return page.page();
}

std::string program_page(const Program& program, std::string_view section) {
  Roff page = page_of(program, section, "");
  page.see_also(kPages);
  return page.page();
}

std::string configuration_page(std::string_view shipped) {
  const ShippedComments comments(shipped);
  Roff page("tollkeeper.toml", "5", "the configuration of tollkeeperd");
  page.heading("SYNOPSIS");
  page.text(config::kDefaultFile);
  if (const auto* whole = comments.find("")) {
    page.heading("DESCRIPTION");
    page.text(*whole);
  }
  page.heading("KEYS");
  std::string_view section;
  const auto add_policies = [&] {
    page.subheading("[policies.NAME]");
    if (const auto* about = find_policies(comments)) page.text(*about);
    for (const auto& key : config::policy_keys()) {
      add_key(page, key.name, nullptr,
              fmt::format("Expected: {}, such as {} = {}. A reload takes a change.", key.expected,
                          key.name, key.example));
    }
  };
  for (const auto& key : config::keys()) {
    if (key.section != section) {
      if (section == "defaults") add_policies();
      section = key.section;
      page.subheading(fmt::format("[{}]", section));
      if (const auto* about = comments.find(std::string(section))) page.text(*about);
    }
    const std::string name = config::full_name(key);
    const std::string* initial = comments.find_default(name);
    const bool restart = key.change == config::Change::kByRestart;
    add_key(page, key.name, comments.find(name),
            fmt::format("Expected: {}. Default: {}. {}", key.expected,
                        initial == nullptr ? "none" : *initial,
                        restart ? "A change waits for a restart." : "A reload takes a change."));
  }
  page.see_also(kPages);
  return page.page();
}

}  // namespace toll::pages
