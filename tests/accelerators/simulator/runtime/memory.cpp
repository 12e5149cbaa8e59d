// The memory of the devices, which is the host's, and copies, which are done at once.
#include "simulator.h"

#include <cstdlib>
#include <cstring>

#include <sys/mman.h>

using namespace simulator;

namespace {

constexpr double kSmallCopyUs = 1.5;

// Bytes a microsecond: within a device, and between it and the host.
double copy_us(size_t bytes, cudaMemcpyKind kind) {
    return kSmallCopyUs + bytes / (kind == cudaMemcpyDeviceToDevice ? 2e6 : 25e3);
}

bool is_captured(void* stream) {
    Lock lock(state().mutex);
    return stream_of(stream).capture != 0;
}

}  // namespace

extern "C" {

Error cudaMalloc(void** pointer, size_t bytes) {
    *pointer = nullptr;
    if (Error error = succeeded()) return error;
    Lock lock(state().mutex);
    if (!bytes) return cudaSuccess;
    if (state().allocated + bytes > device_memory()) return failed(cudaErrorMemoryAllocation);
    // Pages that are never written to take no memory of the host.
    void* memory = mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (memory == MAP_FAILED) return failed(cudaErrorMemoryAllocation);
    *pointer = memory;
    state().allocations[*pointer] = bytes;
    state().allocated += bytes;
    return cudaSuccess;
}

Error cudaMallocAsync(void** pointer, size_t bytes, cudaStream_t) { return cudaMalloc(pointer, bytes); }

Error cudaFree(void* pointer) {
    Lock lock(state().mutex);
    auto found = state().allocations.find(pointer);
    if (found != state().allocations.end()) {
        munmap(pointer, found->second);
        state().allocated -= found->second;
        state().allocations.erase(found);
    }
    return cudaSuccess;
}

Error cudaFreeAsync(void* pointer, cudaStream_t) { return cudaFree(pointer); }

Error cudaHostAlloc(void** pointer, size_t bytes, unsigned) {
    *pointer = std::aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
    std::memset(*pointer, 0, bytes);
    return cudaSuccess;
}

Error cudaFreeHost(void* pointer) {
    std::free(pointer);
    return cudaSuccess;
}

Error cudaHostRegister(void*, size_t, unsigned) { return cudaSuccess; }
Error cudaHostUnregister(void*) { return cudaSuccess; }

Error cudaMemGetInfo(size_t* free, size_t* total) {
    *total = device_memory();
    *free = *total - state().allocated;
    return cudaSuccess;
}

Error cudaPointerGetAttributes(cudaPointerAttributes* attributes, const void* pointer) {
    std::memset(attributes, 0, sizeof *attributes);
    attributes->type = cudaMemoryTypeUnregistered;
    attributes->device = -1;
    Lock lock(state().mutex);
    auto after = state().allocations.upper_bound(const_cast<void*>(pointer));
    if (after == state().allocations.begin()) return cudaSuccess;
    const auto& [begin, bytes] = *--after;
    if (static_cast<const char*>(pointer) < static_cast<char*>(begin) + bytes) {
        attributes->type = cudaMemoryTypeDevice;
        attributes->device = current_device();
        attributes->devicePointer = const_cast<void*>(pointer);
    }
    return cudaSuccess;
}

Error cudaMemcpyAsync(void* to, const void* from, size_t bytes, cudaMemcpyKind kind,
                      cudaStream_t stream) {
    if (is_captured(stream)) return run_on(stream, copy_us(bytes, kind));
    // What waits for a device that has failed gives the error.
    if (Error error = run_on(stream, copy_us(bytes, kind))) return error;
    std::memmove(to, from, bytes);
    return kind == cudaMemcpyDeviceToHost ? wait_for(stream) : cudaSuccess;
}

Error cudaMemcpy(void* to, const void* from, size_t bytes, cudaMemcpyKind kind) {
    {
        Lock lock(state().mutex);
        if (Error error = forbidden_while_capturing()) return error;
    }
    if (Error error = cudaMemcpyAsync(to, from, bytes, kind, nullptr)) return error;
    return wait_for(nullptr);
}

Error cudaMemcpy2DAsync(void* to, size_t to_pitch, const void* from, size_t from_pitch, size_t width,
                        size_t height, cudaMemcpyKind kind, cudaStream_t stream) {
    for (size_t row = 0; row < height; ++row) {
        std::memmove(static_cast<char*>(to) + row * to_pitch,
                     static_cast<const char*>(from) + row * from_pitch, width);
    }
    return run_on(stream, copy_us(width * height, kind));
}

Error cudaMemcpyPeerAsync(void* to, int, const void* from, int, size_t bytes, cudaStream_t stream) {
    std::memmove(to, from, bytes);
    return run_on(stream, copy_us(bytes, cudaMemcpyDeviceToDevice));
}

Error cudaMemcpyToSymbol(const void*, const void*, size_t, size_t, cudaMemcpyKind) {
    return cudaSuccess;
}

Error cudaMemset(void* to, int value, size_t bytes) {
    std::memset(to, value, bytes);
    return cudaSuccess;
}

Error cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t stream) {
    if (!is_captured(stream)) std::memset(to, value, bytes);
    return run_on(stream, kSmallCopyUs);
}

Error cudaGetSymbolAddress(void** pointer, const void*) {
    static char memory[1 << 16];
    *pointer = memory;
    return cudaSuccess;
}

}  // extern "C"
