#include "pages/roff.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>

#include "daemon/version.h"

namespace toll::pages {
namespace {

// What groff would take for a command, or print as a typographic sign instead of what is typed.
std::string escaped(std::string_view text) {
  std::string out;
  for (const char letter : text) {
    switch (letter) {
      case '\\':
        out += "\\(rs";
        break;
      case '-':
        out += "\\-";
        break;
      case '\'':
        out += "\\(aq";
        break;
      case '`':
        out += "\\(ga";
        break;
      case '^':
        out += "\\(ha";
        break;
      case '~':
        out += "\\(ti";
        break;
      case '"':
        out += "\\(dq";
        break;
      default:
        out += letter;
    }
  }
  // A full stop in front would be a macro.
  return out.starts_with('.') ? "\\&" + out : out;
}

std::string upper(std::string_view text) {
  std::string out(text);
  for (char& letter : out) {
    letter = static_cast<char>(std::toupper(static_cast<unsigned char>(letter)));
  }
  return out;
}

// Lines that begin with blanks, or have columns set apart by several.
bool is_aligned(std::string_view lines) {
  return lines.starts_with(' ') || lines.find("\n ") != std::string_view::npos ||
         lines.find("  ") != std::string_view::npos;
}

}  // namespace

Roff::Roff(std::string_view name, std::string_view section, std::string_view summary) {
  page_ = fmt::format(".\\\" Made when Tollkeeper is built.\n.TH {} {} \"\" \"tollkeeper {}\"\n",
                      escaped(upper(name)), section, daemon::kProgramVersion);
  heading("NAME");
  page_ += fmt::format("{} \\- {}\n", escaped(name), escaped(summary));
}

void Roff::heading(std::string_view title) {
  page_ += fmt::format(".SH {}\n", escaped(title));
}

void Roff::subheading(std::string_view title) {
  page_ += fmt::format(".SS {}\n", escaped(title));
}

void Roff::line(std::string_view line) {
  page_ += escaped(line) + "\n";
}

void Roff::paragraph(std::string_view lines) {
  const bool aligned = is_aligned(lines);
  if (aligned) page_ += ".nf\n";
  while (!lines.empty()) {
    const std::string_view next = lines.substr(0, lines.find('\n'));
    line(next);
    lines.remove_prefix(std::min(lines.size(), next.size() + 1));
  }
  if (aligned) page_ += ".fi\n";
}

void Roff::text(std::string_view paragraphs) {
  bool first = true;
  while (!paragraphs.empty()) {
    const std::string_view next = paragraphs.substr(0, paragraphs.find("\n\n"));
    if (!next.empty()) {
      if (!first) page_ += ".PP\n";
      first = false;
      paragraph(next.ends_with('\n') ? next.substr(0, next.size() - 1) : next);
    }
    paragraphs.remove_prefix(std::min(paragraphs.size(), next.size() + 2));
  }
}

void Roff::item(std::string_view term, std::string_view meaning) {
  page_ += fmt::format(".TP\n\\fB{}\\fR\n", escaped(term));
  paragraph(meaning);
}

void Roff::continued(std::string_view paragraphs) {
  page_ += ".RS\n";
  text(paragraphs);
  page_ += ".RE\n";
}

void Roff::see_also(std::string_view pages) {
  heading("SEE ALSO");
  line(pages);
}

}  // namespace toll::pages
