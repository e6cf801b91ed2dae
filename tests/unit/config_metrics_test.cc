// metrics.listen: what is an address, and whether the operator named it.
#include <gtest/gtest.h>

#include "config/keys.h"
#include "tests/unit/config_support.h"

namespace toll::config {
namespace {

MetricsSettings settings_of(const Result& loaded) {
  EXPECT_TRUE(loaded) << faults(loaded);
  return loaded ? loaded->settings.metrics : MetricsSettings{};
}

MetricsSettings listens(std::string_view text) {
  return settings_of(load_t(fmt::format("[metrics]\nlisten = \"{}\"", text)));
}

TEST(ConfigMetrics, ADefaultIsNotNamedAndWhatIsSaidIs) {
  const MetricsSettings unsaid = settings_of(load_t(""));
  EXPECT_EQ(format_listen(unsaid), "127.0.0.1:9464");
  EXPECT_FALSE(unsaid.named);
  EXPECT_TRUE(listens("127.0.0.1:9464").named);
  const auto by_variable = sources({{"TOLLKEEPER_METRICS_LISTEN", "0.0.0.0:1"}});
  EXPECT_TRUE(settings_of(load_t("", by_variable)).named);
  EXPECT_EQ(format_listen(settings_of(load_t("", by_variable))), "0.0.0.0:1");
}

TEST(ConfigMetrics, AnAddressOfEitherFamilyPrintsAsItIsRead) {
  for (const char* text : {"0.0.0.0:0", "10.1.2.3:65535", "[::1]:9464", "[fe80::1:2]:80", ""}) {
    EXPECT_EQ(format_listen(listens(text)), text);
  }
  EXPECT_EQ(listens("[::1]:9464").host, "::1");
  EXPECT_EQ(listens("").host, "") << "off";
  const auto off = sources({{"TOLLKEEPER_METRICS_LISTEN", ""}});
  EXPECT_EQ(settings_of(load_t("[metrics]\nlisten = \"[::]:1\"", off)).host, "");
}

TEST(ConfigMetrics, WhatIsNoAddressIsAFault) {
  for (const char* text : {"9464", ":9464", "localhost:9464", "127.0.0.1", "127.0.0.1:", "::1:9464",
                           "127.0.0.1:65536", "127.0.0.1:-1", "[127.0.0.1]:1", "[::1]", "[]:1",
                           "[::1:1", " 127.0.0.1:1", "127.0.0.1:1x"}) {
    const Result loaded = load_t(fmt::format("metrics.listen = \"{}\"", text));
    EXPECT_EQ(faults(loaded),
              fmt::format("t.toml:1:18: metrics.listen: found the text \"{}\", expected an address "
                          "and a port, as 127.0.0.1:9464 or [::1]:9464, or \"\" for no metrics, "
                          "such as listen = \"127.0.0.1:9464\"\n",
                          text));
  }
  EXPECT_FALSE(load_t("metrics.listen = 9464"));
}

}  // namespace
}  // namespace toll::config
