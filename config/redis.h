// [redis] put together: what its variables say, and the settings that come of file and variables.
//
// What wins, part by part. The address: REDIS_ADDRESS, REDIS_HOST, REDIS_PORT and REDIS_DB change
// their part of REDIS_URL, which replaces the file's; TOLLKEEPER_REDIS_URL replaces them all. The
// user name: one that was given by itself goes before one in the url. The password:
// TOLLKEEPER_REDIS_PASSWORD, then REDIS_PASSWORD, then the file that password_file names, or
// without that key the systemd credential, then the url. One run of the loader, one thread; reads
// the password's file.
#pragma once

#include "config/assemble.h"
#include "config/host.h"

namespace toll::config {

// Takes REDIS_*, all that existing deployments carry, unless Redis is switched off by a variable:
// then what else they say of it is not looked at. REQUIRES: the file's layer is in `assembly`, and
// the layer of TOLLKEEPER_* is not.
void apply_redis_environment(const Environment& environment, Assembly& assembly);

// TOLLKEEPER_REDIS_PASSWORD, the only variable of that form that has no key in the file. True if
// `variable` is it.
bool apply_redis_password(const std::string& variable, const std::string& value,
                          Assembly& assembly);

// Fills Settings::redis from all layers and reports what does not belong together. REQUIRES: all
// layers are in `assembly`.
void finish_redis(const Environment& environment, Assembly& assembly);

}  // namespace toll::config
