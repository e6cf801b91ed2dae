// A manual page in the macros of man(7), as groff and mandoc read them. One thread; allocates.
#pragma once

#include <string>
#include <string_view>

namespace toll::pages {

class Roff {
 public:
  // `section` is the manual's, such as "8".
  Roff(std::string_view name, std::string_view section, std::string_view summary);

  void heading(std::string_view title);     // of a section
  void subheading(std::string_view title);  // of a part of one
  // Paragraphs, which empty lines set apart. Those with aligned or indented lines stay as they are.
  void text(std::string_view paragraphs);
  // A term, in bold, and what it means.
  void item(std::string_view term, std::string_view meaning);
  // More paragraphs on the last item's meaning.
  void continued(std::string_view paragraphs);
  // Other pages, "tollkeeperd(8)", in order.
  void see_also(std::string_view pages);

  const std::string& page() const { return page_; }

 private:
  void paragraph(std::string_view lines);
  void line(std::string_view line);

  std::string page_;
};

}  // namespace toll::pages
