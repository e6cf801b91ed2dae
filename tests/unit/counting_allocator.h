// Counts the calls of operator new in the whole program. For one test binary each: include it in
// one source file only.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <new>

namespace toll::test {

inline std::atomic<uint64_t> allocations{0};

inline void* count_and_allocate(size_t size, size_t alignment) {
  allocations.fetch_add(1, std::memory_order_relaxed);
  const size_t rounded = (size + alignment - 1) / alignment * alignment;
  void* memory = std::aligned_alloc(alignment, rounded == 0 ? alignment : rounded);
  if (memory == nullptr) std::abort();
  return memory;
}

// Not inlined, or the compiler sees free() beside operator new and takes it for a mistake.
[[gnu::noinline]] inline void give_back(void* memory) {
  std::free(memory);
}

// How often `work` allocates.
template <typename Work>
uint64_t allocations_of(Work&& work) {
  const uint64_t before = allocations.load();
  work();
  return allocations.load() - before;
}

}  // namespace toll::test

// Replacing them is what this header is for, and only one source includes it.
// NOLINTBEGIN(misc-definitions-in-headers,clang-analyzer-cplusplus.NewDelete)
void* operator new(size_t size) {
  return toll::test::count_and_allocate(size, __STDCPP_DEFAULT_NEW_ALIGNMENT__);
}
void* operator new(size_t size, std::align_val_t alignment) {
  return toll::test::count_and_allocate(size, static_cast<size_t>(alignment));
}
void* operator new[](size_t size) {
  return operator new(size);
}
void* operator new[](size_t size, std::align_val_t alignment) {
  return operator new(size, alignment);
}
void* operator new(size_t size, const std::nothrow_t&) noexcept {
  return operator new(size);
}
void* operator new[](size_t size, const std::nothrow_t&) noexcept {
  return operator new(size);
}
void operator delete(void* memory) noexcept {
  toll::test::give_back(memory);
}
void operator delete(void* memory, size_t) noexcept {
  toll::test::give_back(memory);
}
void operator delete(void* memory, std::align_val_t) noexcept {
  toll::test::give_back(memory);
}
void operator delete(void* memory, size_t, std::align_val_t) noexcept {
  toll::test::give_back(memory);
}
void operator delete[](void* memory) noexcept {
  toll::test::give_back(memory);
}
void operator delete[](void* memory, size_t) noexcept {
  toll::test::give_back(memory);
}
void operator delete[](void* memory, std::align_val_t) noexcept {
  toll::test::give_back(memory);
}
void operator delete[](void* memory, size_t, std::align_val_t) noexcept {
  toll::test::give_back(memory);
}
// NOLINTEND(misc-definitions-in-headers,clang-analyzer-cplusplus.NewDelete)
