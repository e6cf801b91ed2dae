#include <array>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "net/file_system.h"

namespace toll::net {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

struct KernelFiles : ::testing::Test {
  KernelFiles() {
    std::string pattern = std::filesystem::temp_directory_path() / "toll-files-XXXXXX";
    root = ::mkdtemp(pattern.data());
    auto opened = open_directory(path());
    EXPECT_TRUE(opened) << opened.error().text;
    if (opened) files = std::move(*opened);
  }
  ~KernelFiles() override { std::filesystem::remove_all(root); }

  std::string path() const { return root + "/state/journal/"; }
  static mode_t mode(const std::string& file) {
    struct stat facts{};
    return ::stat(file.c_str(), &facts) == 0 ? facts.st_mode & 07777 : 0;
  }

  std::string root;
  std::unique_ptr<FileSystem> files;
};

TEST_F(KernelFiles, DirectoriesAndFilesAreOursAlone) {
  ASSERT_TRUE(files->create("a"));
  EXPECT_EQ(mode(root + "/state"), 0700U);
  EXPECT_EQ(mode(path()), 0700U);
  EXPECT_EQ(mode(path() + "a"), 0600U);
  EXPECT_TRUE(open_directory(path())) << "also where it is there already";
}

TEST_F(KernelFiles, WhatIsWrittenIsReadBack) {
  const auto file = files->create("a");
  ASSERT_TRUE(file);
  ASSERT_TRUE((*file)->write_at(4, "abc"));
  ASSERT_TRUE((*file)->sync());
  EXPECT_EQ((*file)->size(), 7U);
  ASSERT_TRUE(files->sync_directory());
  std::array<char, 16> bytes = {};
  EXPECT_EQ((*file)->read_at(0, bytes), 7U);
  EXPECT_EQ(std::string(bytes.data(), 7), std::string("\0\0\0\0abc", 7));
  EXPECT_EQ((*file)->read_at(7, bytes), 0U);
  EXPECT_EQ((*file)->read_at(100, bytes), 0U);
  EXPECT_EQ((*file)->read_at(5, std::span(bytes).first(1)), 1U);
  EXPECT_EQ(bytes[0], 'b');
}

TEST_F(KernelFiles, NamesAreMadeMovedAndRemoved) {
  ASSERT_TRUE(files->create("a"));
  ASSERT_TRUE(files->create("b"));
  EXPECT_EQ(files->create("a").error().code, EEXIST);
  ASSERT_TRUE(files->rename("a", "b")) << "takes its place";
  ASSERT_TRUE(files->create("c"));
  EXPECT_THAT(*files->list(), UnorderedElementsAre("b", "c"));
  EXPECT_THAT(*files->list(), UnorderedElementsAre("b", "c")) << "and once more";
  ASSERT_TRUE(files->remove("b"));
  EXPECT_EQ(files->remove("b").error().code, ENOENT);
  EXPECT_EQ(files->open("b").error().code, ENOENT);
  EXPECT_THAT(*files->list(), UnorderedElementsAre("c"));
}

TEST_F(KernelFiles, AMovedDirectoryIsStillTheSame) {
  std::filesystem::rename(root + "/state", root + "/elsewhere");
  ASSERT_TRUE(files->create("a"));
  EXPECT_TRUE(std::filesystem::exists(root + "/elsewhere/journal/a"));
}

TEST_F(KernelFiles, LinksAreNotFollowed) {
  std::ofstream(root + "/secret") << "secret";
  std::filesystem::create_symlink(root + "/secret", path() + "link");
  std::filesystem::create_symlink(root + "/nothing", path() + "dangling");
  EXPECT_EQ(files->open("link").error().code, ELOOP);
  EXPECT_EQ(files->create("dangling").error().code, EEXIST);
  EXPECT_FALSE(std::filesystem::exists(root + "/nothing"));
  EXPECT_THAT(files->open("link").error().text, HasSubstr("a link stands there"));
}

TEST_F(KernelFiles, AnErrorNamesTheFileAndWhatWasTried) {
  const auto gone = files->open("gone");
  ASSERT_FALSE(gone);
  EXPECT_EQ(gone.error().text,
            "cannot open " + root + "/state/journal/gone: No such file or directory");
  const auto below_a_file = [&] {
    std::ofstream(root + "/file") << "x";
    return open_directory(root + "/file/journal");
  }();
  ASSERT_FALSE(below_a_file);
  EXPECT_EQ(below_a_file.error().code, ENOTDIR);
  EXPECT_THAT(below_a_file.error().text, HasSubstr(root + "/file/journal"));
  EXPECT_FALSE(open_directory(""));
}

TEST_F(KernelFiles, AFullDiskIsAnErrorThatSaysSo) {
  // The one full device that every machine has.
  const auto devices = open_directory("/dev");
  ASSERT_TRUE(devices);
  const auto full = (*devices)->open("full");
  ASSERT_TRUE(full) << full.error().text;
  const auto written = (*full)->write_at(0, "x");
  ASSERT_FALSE(written);
  EXPECT_EQ(written.error().code, ENOSPC);
  EXPECT_EQ(written.error().text,
            "cannot write /dev/full: No space left on device: make room on the disk");
}

}  // namespace
}  // namespace toll::net
