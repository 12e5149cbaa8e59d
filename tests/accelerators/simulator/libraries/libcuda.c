// What of the driver PyTorch and Triton look at.
#include <stdint.h>

int simulator_run_kernel(void* stream);

// Attributes of a device by their numbers in cuda.h; 1 for all others.
enum {
    WARP_SIZE = 10,
    REGISTERS_PER_BLOCK = 12,
    MULTIPROCESSORS = 16,
    SHARED_MEMORY_OPT_IN = 97,
};

int cuDeviceGetAttribute(int* value, int attribute, int device) {
    switch (attribute) {
        case WARP_SIZE: *value = 32; break;
        case REGISTERS_PER_BLOCK: *value = 65536; break;
        case MULTIPROCESSORS: *value = 132; break;
        case SHARED_MEMORY_OPT_IN: *value = 232448; break;
        default: *value = 1;
    }
    return 0;
}

int cuDevicePrimaryCtxGetState(int device, unsigned* flags, int* active) {
    *flags = 0;
    *active = 1;
    return 0;
}

int cuGetErrorString(int error, const char** text) {
    *text = "an error of the simulated driver";
    return 0;
}

// --- what Triton asks for, to load a kernel and to launch it ------------------------------------

// An attribute of a function, by its number in cuda.h; 0 for all others.
enum { MAX_THREADS_PER_BLOCK = 0 };

static char context, module, function;

int cuInit(unsigned flags) { return 0; }

int cuDriverGetVersion(int* version) {
    *version = 13000;
    return 0;
}

int cuDeviceGet(int* device, int number) {
    *device = number;
    return 0;
}

int cuCtxGetCurrent(void** current) {
    *current = &context;
    return 0;
}

int cuCtxSetCurrent(void* current) { return 0; }

int cuDevicePrimaryCtxRetain(void** retained, int device) {
    *retained = &context;
    return 0;
}

int cuCtxGetLimit(uint64_t* value, int limit) {
    *value = 0;
    return 0;
}

int cuCtxSetLimit(int limit, uint64_t value) { return 0; }

int cuModuleLoadData(void** loaded, const void* image) {
    *loaded = &module;
    return 0;
}

int cuModuleGetFunction(void** found, void* of, const char* name) {
    *found = &function;
    return 0;
}

int cuFuncGetAttribute(int* value, int attribute, void* of) {
    *value = attribute == MAX_THREADS_PER_BLOCK ? 1024 : 0;
    return 0;
}

int cuFuncSetAttribute(void* of, int attribute, int value) { return 0; }

int cuFuncSetCacheConfig(void* of, int configuration) { return 0; }

int cuPointerGetAttribute(uint64_t* value, int attribute, uint64_t pointer) {
    *value = pointer;
    return 0;
}

struct Launch {
    unsigned grid[3], block[3], shared_memory;
    void* stream;
};

int cuLaunchKernelEx(const struct Launch* launch, void* of, void** parameters, void** extra) {
    return simulator_run_kernel(launch->stream);
}
