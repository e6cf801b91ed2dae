// `tollkeeper journal ls|verify|dump [DIRECTORY]`: looks into a journal from outside, also while
// its daemon writes it or is down. Reads only. engine/journal.md describes the bytes.
#pragma once

#include <cstdio>
#include <span>
#include <string>

namespace toll::daemon {

// `words` are those behind "journal". Returns the exit status: 0 all is sound, 1 something is
// damaged, 2 it could not be read or the words are wrong, which is said on stderr.
int run_journal_command(std::span<const std::string> words, bool json, std::FILE* out);

}  // namespace toll::daemon
