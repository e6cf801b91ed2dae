// Files by plain system calls, below one open directory: who moves the directory does not move us.
#include <cerrno>
#include <cstring>
#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <memory>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "net/file_system.h"

namespace toll::net {

namespace {

constexpr mode_t kFileMode = 0600;
constexpr mode_t kDirectoryMode = 0700;

class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(Descriptor&& other) noexcept : fd_(std::exchange(other.fd_, -1)) {}
  Descriptor& operator=(Descriptor&&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

const char* remedy(int error) {
  switch (error) {
    case ENOSPC:
      return ": make room on the disk";
    case EDQUOT:
      return ": raise the disk quota of this user, or make room";
    case EROFS:
      return ": mount the file system writable, or choose another directory";
    case EACCES:
    case EPERM:
      return ": change the owner or the mode of the directory and what is in it";
    case EIO:
      return ": the disk or its connection is failing; see the kernel's log";
    case ELOOP:
      return ": a link stands there, which is not followed; remove it";
    case EISDIR:
    case ENOTDIR:
      return ": something else has that name; move it away";
    case EMFILE:
    case ENFILE:
      return ": raise the limit of open files";
    default:
      return "";
  }
}

std::unexpected<FileError> failed(std::string_view what, std::string_view path, int error) {
  return std::unexpected(FileError{
      .code = error,
      .text = fmt::format("cannot {} {}: {}{}", what, path, std::strerror(error), remedy(error))});
}

class KernelFile final : public File {
 public:
  KernelFile(Descriptor fd, std::string path) : fd_(std::move(fd)), path_(std::move(path)) {}

  std::expected<void, FileError> write_at(uint64_t offset, std::string_view bytes) override {
    while (!bytes.empty()) {
      const ssize_t n = ::pwrite(fd_.get(), bytes.data(), bytes.size(), static_cast<off_t>(offset));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed("write", path_, errno);
      // No progress and no error: a kernel should not, and we do not wait for it to change.
      if (n == 0) return failed("write", path_, EIO);
      offset += static_cast<uint64_t>(n);
      bytes.remove_prefix(static_cast<size_t>(n));
    }
    return {};
  }

  std::expected<size_t, FileError> read_at(uint64_t offset, std::span<char> into) override {
    size_t done = 0;
    while (done < into.size()) {
      const ssize_t n = ::pread(fd_.get(), into.data() + done, into.size() - done,
                                static_cast<off_t>(offset + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return failed("read", path_, errno);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  std::expected<void, FileError> sync() override {
    // Also after EINTR it is not called again: what an interrupted one left is not known.
    if (::fdatasync(fd_.get()) != 0) return failed("sync", path_, errno);
    return {};
  }

  std::expected<uint64_t, FileError> size() override {
    struct stat facts{};
    if (::fstat(fd_.get(), &facts) != 0) return failed("ask for the size of", path_, errno);
    return static_cast<uint64_t>(facts.st_size);
  }

  std::expected<void, FileError> truncate(uint64_t bytes) override {
    if (::ftruncate(fd_.get(), static_cast<off_t>(bytes)) != 0) {
      return failed("cut the end off", path_, errno);
    }
    return {};
  }

 private:
  Descriptor fd_;
  std::string path_;
};

class KernelFileSystem final : public FileSystem {
 public:
  KernelFileSystem(Descriptor directory, std::string path)
      : directory_(std::move(directory)), path_(std::move(path)) {}

  std::expected<std::unique_ptr<File>, FileError> create(const std::string& name) override {
    return open_with(name, O_CREAT | O_EXCL, "create");
  }

  std::expected<std::unique_ptr<File>, FileError> open(const std::string& name) override {
    return open_with(name, 0, "open");
  }

  std::expected<void, FileError> rename(const std::string& from, const std::string& to) override {
    if (::renameat(directory_.get(), from.c_str(), directory_.get(), to.c_str()) == 0) return {};
    const int error = errno;
    return failed("rename", fmt::format("{} to {}", path_of(from), to), error);
  }

  std::expected<void, FileError> remove(const std::string& name) override {
    if (::unlinkat(directory_.get(), name.c_str(), 0) == 0) return {};
    const int error = errno;
    return failed("remove", path_of(name), error);
  }

  std::expected<std::vector<std::string>, FileError> list() override {
    // A descriptor of its own, since reading moves it; closedir() closes it.
    const int fd = ::openat(directory_.get(), ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0) return failed("list", path_, errno);
    const std::unique_ptr<DIR, int (*)(DIR*)> entries(::fdopendir(fd),
                                                      [](DIR* open) { return ::closedir(open); });
    if (!entries) {
      const int error = errno;
      ::close(fd);
      return failed("list", path_, error);
    }
    std::vector<std::string> names;
    while (true) {
      errno = 0;
      const dirent* entry = ::readdir(entries.get());
      if (entry == nullptr && errno != 0) return failed("list", path_, errno);
      if (entry == nullptr) return names;
      std::string name = static_cast<const char*>(entry->d_name);
      if (name != "." && name != "..") names.push_back(std::move(name));
    }
  }

  std::expected<void, FileError> sync_directory() override {
    if (::fsync(directory_.get()) != 0) return failed("sync the directory", path_, errno);
    return {};
  }

 private:
  std::expected<std::unique_ptr<File>, FileError> open_with(const std::string& name, int flags,
                                                            std::string_view what) {
    while (true) {
      const int fd = ::openat(directory_.get(), name.c_str(),
                              O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NOCTTY | flags, kFileMode);
      if (fd < 0 && errno == EINTR) continue;
      if (fd < 0) {
        const int error = errno;
        return failed(what, path_of(name), error);
      }
      return std::make_unique<KernelFile>(Descriptor(fd), path_of(name));
    }
  }

  std::string path_of(const std::string& name) const { return fmt::format("{}/{}", path_, name); }

  Descriptor directory_;
  std::string path_;
};

std::string parent_of(const std::string& path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

// A new directory lasts only once the one above it is synced.
std::expected<void, FileError> sync_at(const std::string& path) {
  const Descriptor fd(::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0 || ::fsync(fd.get()) != 0) return failed("sync the directory", path, errno);
  return {};
}

std::expected<void, FileError> make_directories(const std::string& path) {
  for (size_t end = path.find('/', 1);; end = path.find('/', end + 1)) {
    const std::string part = path.substr(0, end);
    if (::mkdir(part.c_str(), kDirectoryMode) == 0) {
      if (auto synced = sync_at(parent_of(part)); !synced) return synced;
    } else if (const int error = errno; error != EEXIST) {
      // What is there already may lie where we may make nothing; whether it is there shows below.
      struct stat facts{};
      if (::stat(part.c_str(), &facts) != 0) return failed("create the directory", part, error);
    }
    if (end == std::string::npos) return {};
  }
}

}  // namespace

std::expected<std::unique_ptr<FileSystem>, FileError> open_directory(const std::string& path) {
  std::string plain = path;
  while (plain.size() > 1 && plain.back() == '/') plain.pop_back();
  if (plain.empty()) return failed("open the directory", "''", ENOENT);
  if (auto made = make_directories(plain); !made) return std::unexpected(made.error());
  Descriptor directory(::open(plain.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (directory.get() < 0) return failed("open the directory", plain, errno);
  return std::make_unique<KernelFileSystem>(std::move(directory), plain);
}

}  // namespace toll::net
