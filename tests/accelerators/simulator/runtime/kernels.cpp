// Kernels, which occupy their stream and compute nothing, and what compiled CUDA code calls for them.
#include "simulator.h"

#include <cstdint>
#include <cstring>

using namespace simulator;

struct Dimensions {
    unsigned x, y, z;
};

namespace {

// The clock of the simulated device, in cycles a microsecond: `torch.cuda._sleep` counts these.
constexpr double kCyclesPerUs = 1980;

Error launch(const void* function, void** arguments, void* stream) {
    double microseconds = kernel_us();
    {
        Lock lock(state().mutex);
        auto found = state().kernel_names.find(function);
        const bool is_known = found != state().kernel_names.end();
        if (is_known && arguments && found->second.find("spin_kernel") != std::string::npos) {
            microseconds = *static_cast<int64_t*>(arguments[0]) / kCyclesPerUs;
        }
    }
    return run_on(stream, microseconds);
}

struct Configuration {
    Dimensions grid, block;
    size_t memory;
    void* stream;
};
thread_local Configuration configuration;

}  // namespace

extern "C" {

// For the simulated libraries, whose products and convolutions are kernels, too.
Error simulator_run_kernel(void* stream) { return run_on(stream, kernel_us()); }

Error cudaLaunchKernel(const void* function, Dimensions, Dimensions, void** arguments, size_t,
                       cudaStream_t stream) {
    return launch(function, arguments, stream);
}

Error __cudaLaunchKernel(const void* function, Dimensions, Dimensions, void** arguments, size_t,
                         cudaStream_t stream) {
    return launch(function, arguments, stream);
}

Error cudaLaunchCooperativeKernel(const void* function, Dimensions, Dimensions, void** arguments,
                                  size_t, cudaStream_t stream) {
    return launch(function, arguments, stream);
}

Error cudaLaunchKernelExC(const cudaLaunchConfig_t* config, const void* function, void** arguments) {
    return launch(function, arguments, config->stream);
}

Error cudaFuncGetAttributes(cudaFuncAttributes* attributes, const void*) {
    std::memset(attributes, 0, sizeof *attributes);
    attributes->maxThreadsPerBlock = 1024;
    attributes->numRegs = 32;
    attributes->ptxVersion = attributes->binaryVersion = 90;
    attributes->maxDynamicSharedSizeBytes = 49152;
    return cudaSuccess;
}

Error cudaFuncSetAttribute(const void*, cudaFuncAttribute, int) { return cudaSuccess; }

Error cudaOccupancyMaxActiveBlocksPerMultiprocessor(int* blocks, const void*, int, size_t) {
    *blocks = 8;
    return cudaSuccess;
}

Error cudaOccupancyMaxActiveBlocksPerMultiprocessorWithFlags(int* blocks, const void*, int, size_t,
                                                             unsigned) {
    *blocks = 8;
    return cudaSuccess;
}

// --- what the compiler of CUDA writes calls to -------------------------------------------------------

char __cudaInitModule(void**) { return 1; }

Error __cudaGetKernel(void** kernel, const void* function) {
    *kernel = const_cast<void*>(function);
    return cudaSuccess;
}

unsigned __cudaPushCallConfiguration(Dimensions grid, Dimensions block, size_t memory,
                                     cudaStream_t stream) {
    configuration = {grid, block, memory, stream};
    return 0;
}

Error __cudaPopCallConfiguration(Dimensions* grid, Dimensions* block, size_t* memory, void* stream) {
    *grid = configuration.grid;
    *block = configuration.block;
    *memory = configuration.memory;
    *static_cast<void**>(stream) = configuration.stream;
    return cudaSuccess;
}

void** __cudaRegisterFatBinary(void*) {
    static void* handle[4];
    return handle;
}

void __cudaRegisterFatBinaryEnd(void**) {}
void __cudaUnregisterFatBinary(void**) {}

void __cudaRegisterFunction(void**, const char* function, char*, const char* name, int, void*, void*,
                            void*, void*, int*) {
    Lock lock(state().mutex);
    state().kernel_names[function] = name;
}

void __cudaRegisterVar(void**, char*, char*, const char*, int, size_t, int, int) {}

}  // extern "C"
