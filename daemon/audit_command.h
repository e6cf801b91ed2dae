// `tollkeeper audit verify [FILE...]` and `tollkeeper pseudonymize [--key-file FILE] [ID...]`: look
// into an audit log from outside, also while its daemon writes it or is down. Read only.
#pragma once

#include <cstdio>
#include <span>
#include <string>

namespace toll::daemon {

// Walks the chain over those files, or over the configuration's and what was rotated of it, and
// says whether it is whole or where it is first broken. `words` are those behind "audit". Returns
// the exit status: 0 whole, 1 broken, 2 it could not be read or the words are wrong, which is said
// on stderr.
int run_audit_command(std::span<const std::string> words, std::FILE* out);

// Prints what the audit log has for each id, and the id behind it; without any, for each line of
// standard input. `words` are those behind "pseudonymize". Returns the exit status: 0, or 2 without
// a key or with wrong words.
int run_pseudonymize_command(std::span<const std::string> words, std::FILE* out);

}  // namespace toll::daemon
