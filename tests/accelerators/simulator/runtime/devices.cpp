// Which devices there are, and what they say of themselves: the numbers of an H200.
#include "simulator.h"

#include <cstdio>
#include <cstring>

using namespace simulator;

extern "C" {

Error cudaGetDeviceCount(int* count) {
    *count = device_count();
    return cudaSuccess;
}

Error cudaGetDevice(int* device) {
    *device = current_device();
    return cudaSuccess;
}

Error cudaSetDevice(int device) {
    if (device < 0 || device >= device_count()) return failed(cudaErrorInvalidDevice);
    current_device() = device;
    return cudaSuccess;
}

Error cudaDriverGetVersion(int* version) {
    *version = 13000;
    return cudaSuccess;
}

Error cudaRuntimeGetVersion(int* version) { return cudaDriverGetVersion(version); }

Error cudaDeviceSynchronize() {
    if (Error error = succeeded()) return error;
    double moment = 0;
    {
        Lock lock(state().mutex);
        if (Error error = forbidden_while_capturing()) return error;
        for (auto& [handle, stream] : state().streams) {
            if (stream.device == current_device() && stream.busy_until > moment) {
                moment = stream.busy_until;
            }
        }
    }
    wait_until(moment);
    return cudaSuccess;
}

Error cudaDeviceGetStreamPriorityRange(int* least, int* greatest) {
    if (least) *least = 0;
    if (greatest) *greatest = -5;
    return cudaSuccess;
}

Error cudaDeviceGetPCIBusId(char* text, int length, int device) {
    std::snprintf(text, length, "0000:%02x:00.0", device + 1);
    return cudaSuccess;
}

Error cudaDeviceCanAccessPeer(int* can, int, int) {
    *can = 1;
    return cudaSuccess;
}

Error cudaDeviceEnablePeerAccess(int, unsigned) { return cudaSuccess; }

Error cudaDeviceGetAttribute(int* value, cudaDeviceAttr attribute, int) {
    switch (attribute) {
        case cudaDevAttrMaxThreadsPerBlock: *value = 1024; break;
        case cudaDevAttrMaxSharedMemoryPerBlock: *value = 49152; break;
        case cudaDevAttrWarpSize: *value = 32; break;
        case cudaDevAttrMaxRegistersPerBlock: *value = 65536; break;
        case cudaDevAttrMultiProcessorCount: *value = 132; break;
        case cudaDevAttrL2CacheSize: *value = 62914560; break;
        case cudaDevAttrMaxThreadsPerMultiProcessor: *value = 2048; break;
        case cudaDevAttrComputeCapabilityMajor: *value = 9; break;
        case cudaDevAttrComputeCapabilityMinor: *value = 0; break;
        case cudaDevAttrMaxSharedMemoryPerMultiprocessor: *value = 233472; break;
        case cudaDevAttrMaxRegistersPerMultiprocessor: *value = 65536; break;
        case cudaDevAttrMaxSharedMemoryPerBlockOptin: *value = 232448; break;
        case cudaDevAttrMaxBlocksPerMultiprocessor: *value = 32; break;
        case cudaDevAttrReservedSharedMemoryPerBlock: *value = 1024; break;
        default: *value = 1;
    }
    return cudaSuccess;
}

Error cudaGetDeviceProperties(cudaDeviceProp* properties, int device) {
    std::memset(properties, 0, sizeof *properties);
    std::snprintf(properties->name, sizeof properties->name, "%s", device_name());
    properties->totalGlobalMem = device_memory();
    properties->sharedMemPerBlock = 49152;
    properties->regsPerBlock = 65536;
    properties->warpSize = 32;
    properties->maxThreadsPerBlock = 1024;
    properties->maxThreadsDim[0] = properties->maxThreadsDim[1] = 1024;
    properties->maxThreadsDim[2] = 64;
    properties->maxGridSize[0] = 2147483647;
    properties->maxGridSize[1] = properties->maxGridSize[2] = 65535;
    properties->totalConstMem = 65536;
    properties->major = 9;
    properties->minor = 0;
    properties->textureAlignment = 512;
    properties->multiProcessorCount = 132;
    properties->canMapHostMemory = 1;
    properties->concurrentKernels = 1;
    properties->ECCEnabled = 1;
    properties->pciBusID = device + 1;
    properties->asyncEngineCount = 3;
    properties->unifiedAddressing = 1;
    properties->memoryBusWidth = 6144;
    properties->l2CacheSize = 62914560;
    properties->maxThreadsPerMultiProcessor = 2048;
    properties->sharedMemPerMultiprocessor = 233472;
    properties->regsPerMultiprocessor = 65536;
    properties->managedMemory = 1;
    properties->cooperativeLaunch = 1;
    properties->sharedMemPerBlockOptin = 232448;
    properties->maxBlocksPerMultiProcessor = 32;
    properties->reservedSharedMemPerBlock = 1024;
    properties->memoryPoolsSupported = 1;
    return cudaSuccess;
}

// Functions of the driver that PyTorch looks up by name: each does nothing and succeeds.
static void* driver_function(...) { return nullptr; }

Error cudaGetDriverEntryPoint(const char*, void** found, unsigned long long,
                              cudaDriverEntryPointQueryResult* result) {
    *found = reinterpret_cast<void*>(driver_function);
    if (result) *result = cudaDriverEntryPointSuccess;
    return cudaSuccess;
}

Error cudaGetDriverEntryPointByVersion(const char* name, void** found, unsigned,
                                       unsigned long long flags,
                                       cudaDriverEntryPointQueryResult* result) {
    return cudaGetDriverEntryPoint(name, found, flags, result);
}

}  // extern "C"
