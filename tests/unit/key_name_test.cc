// What keys are called.
#include "engine/key_name.h"

#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "tests/unit/times.h"

namespace toll::engine {
namespace {

PolicySpec spec(Algorithm algorithm, const std::string& key_template = "",
                const std::vector<int64_t>& windows_s = {60}) {
  PolicySpec made;
  made.name = "api";
  made.algorithm = algorithm;
  made.key_template = key_template;
  for (const int64_t window_s : windows_s)
    made.limits.push_back(make_limit(5, 0, window_s * kSecond));
  return made;
}

std::string name(const PolicySpec& of, size_t index = 0, std::string_view prefix = "") {
  std::string text;
  KeyNames(of, prefix).append(index, "ann", text);
  return text;
}

TEST(KeyName, EachAlgorithmHasItsOwn) {
  EXPECT_EQ(name(spec(Algorithm::kGcra)), "gcra:api:ann");
  EXPECT_EQ(name(spec(Algorithm::kTokenBucket)), "tokenbucket:api:ann");
  EXPECT_EQ(name(spec(Algorithm::kSlidingLog)), "ratelimit:api:ann");
  EXPECT_EQ(name(spec(Algorithm::kSlidingWindow)), "slidingwindow:api:ann");
  EXPECT_EQ(name(spec(Algorithm::kFixedWindow)), "ratelimit:api:ann:");
  EXPECT_EQ(name(spec(Algorithm::kConcurrency)), "concurrency:api:ann");
  std::string text = "x";
  KeyNames::throttle("pre:").append(0, "ann", text);
  EXPECT_EQ(text, "xpre:throttle:ann");
}

TEST(KeyName, ATemplateTakesItsPlaceBehindThePrefix) {
  EXPECT_EQ(name(spec(Algorithm::kSlidingLog, "ratelimit:{id}"), 0, "a:"), "a:ratelimit:ann");
  EXPECT_EQ(name(spec(Algorithm::kGcra, "{policy}/{{id}}/{policy}")), "api/{ann}/api");
  EXPECT_EQ(name(spec(Algorithm::kFixedWindow, "ratelimit:{id}:{window}")), "ratelimit:ann:");
}

TEST(KeyName, FurtherLimitsAreTaggedWithTheFirst) {
  const PolicySpec several = spec(Algorithm::kGcra, "", {1, 60, 3600});
  EXPECT_EQ(name(several, 0, "p:"), "p:gcra:api:ann");
  EXPECT_EQ(name(several, 1, "p:"), "{p:gcra:api:ann}:60000");
  EXPECT_EQ(name(several, 2, "p:"), "{p:gcra:api:ann}:3600000");
  const PolicySpec windows = spec(Algorithm::kFixedWindow, "", {1, 60});
  EXPECT_EQ(name(windows, 0), "ratelimit:api:ann:");
  EXPECT_EQ(name(windows, 1), "{ratelimit:api:ann:}:60000:");
}

TEST(KeyName, LimitsOfOneWindowHaveKeysOfTheirOwn) {
  const PolicySpec alike = spec(Algorithm::kTokenBucket, "", {60, 60, 60, 1, 60});
  EXPECT_EQ(name(alike, 1), "{tokenbucket:api:ann}:60000");
  EXPECT_EQ(name(alike, 2), "{tokenbucket:api:ann}:60000:2");
  EXPECT_EQ(name(alike, 3), "{tokenbucket:api:ann}:1000");
  EXPECT_EQ(name(alike, 4), "{tokenbucket:api:ann}:60000:3");
}

TEST(KeyName, TheLongestIdFitsTheBound) {
  const PolicySpec several = spec(Algorithm::kFixedWindow, "x:{policy}:{id}:{window}", {1, 3600});
  const KeyNames names(several, "prefix:");
  size_t longest = 0;
  for (size_t i = 0; i < names.size(); ++i) {
    std::string text;
    names.append(i, std::string(512, 'i'), text);
    EXPECT_EQ(text.size(), names.bytes(i) + 512);
    longest = std::max(longest, text.size());
  }
  EXPECT_EQ(names.size(), 2u);
  EXPECT_EQ(names.bytes_max(), longest);
}

TEST(KeyName, TemplatesAreLookedThrough) {
  const auto fault = [](Algorithm algorithm, const std::string& text) {
    return !key_template_fault(algorithm, text).empty();
  };
  for (const char* fit : {"{id}", "ratelimit:{id}", "{{id}}", "{policy}:{id}:{policy}",
                          "a{b:c}{id}", "{}{id}", "{id}{", "ümlaut {id}"}) {
    EXPECT_FALSE(fault(Algorithm::kGcra, fit)) << fit;
    EXPECT_FALSE(fault(Algorithm::kFixedWindow, std::string(fit) + ":{window}")) << fit;
  }
  for (const char* unfit : {"", "ratelimit", "{ID}", "{id}:{id}", "{user}:{id}", "{id}:{window}",
                            "{window}:{id}", "{id}{ip}"}) {
    EXPECT_TRUE(fault(Algorithm::kSlidingLog, unfit)) << unfit;
  }
  for (const char* unfit :
       {"{id}", "{window}", "{window}:{id}", "{id}:{window}:x", "{window}:{id}:{window}"}) {
    EXPECT_TRUE(fault(Algorithm::kFixedWindow, unfit)) << unfit;
  }
  EXPECT_FALSE(fault(Algorithm::kGcra, "{id}" + std::string(kKeyTemplateMax - 4, 'x')));
  EXPECT_TRUE(fault(Algorithm::kGcra, "{id}" + std::string(kKeyTemplateMax - 3, 'x')));
}

}  // namespace
}  // namespace toll::engine
