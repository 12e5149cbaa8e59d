// What of cuDNN PyTorch looks at: a version, the sizes of buffers, and what descriptors hold. What
// computes occupies the stream that was set last in its thread.
#include <stdlib.h>
#include <string.h>

static _Thread_local void* stream;

int simulator_run_kernel(void* stream);

int cudnnSetStream(void* handle, void* chosen) {
    stream = chosen;
    return 0;
}

int cudnnGetStream(void* handle, void** chosen) {
    *chosen = stream;
    return 0;
}

#define KERNEL(name) \
    int name(void) { return simulator_run_kernel(stream) ? 5000 : 0; }  // 5000: execution failed

KERNEL(cudnnBackendExecute)
KERNEL(cudnnConvolutionForward)
KERNEL(cudnnConvolutionBiasActivationForward)
KERNEL(cudnnConvolutionBackwardData)
KERNEL(cudnnConvolutionBackwardFilter)
KERNEL(cudnnBatchNormalizationForwardInference)
KERNEL(cudnnBatchNormalizationForwardTrainingEx)
KERNEL(cudnnBatchNormalizationBackwardEx)
KERNEL(cudnnPoolingForward)
KERNEL(cudnnRNNForward)
KERNEL(cudnnRNNBackwardData_v8)
KERNEL(cudnnRNNBackwardWeights_v8)
KERNEL(cudnnSpatialTfGridGeneratorForward)
KERNEL(cudnnSpatialTfGridGeneratorBackward)
KERNEL(cudnnSpatialTfSamplerForward)
KERNEL(cudnnSpatialTfSamplerBackward)

size_t cudnnGetVersion(void) { return 92000; }
size_t cudnnGetCudartVersion(void) { return 13000; }

int cudnnGetProperty(int which, int* value) {
    *value = which == 0 ? 9 : which == 1 ? 20 : 0;
    return 0;
}

const char* cudnnGetErrorString(int error) { return "an error of the simulated cuDNN"; }

void cudnnGetLastErrorString(char* text, size_t size) {
    if (size) text[0] = 0;
}

int cudnnBackendCreateDescriptor(int type, void** descriptor) {
    *descriptor = calloc(1, 512);
    return 0;
}

int cudnnBackendDestroyDescriptor(void* descriptor) {
    free(descriptor);
    return 0;
}

int cudnnBackendGetAttribute(void* descriptor, int name, int type, long long wanted,
                             long long* given, void* values) {
    const int is_handle_or_int64 = type == 3 || type == 0, is_descriptor = type == 15;
    if (given) *given = 1;
    if (values && wanted > 0 && !is_descriptor) memset(values, 0, is_handle_or_int64 ? 8 : 4);
    return 0;
}

int cudnnGetRNNWeightSpaceSize(void* handle, void* descriptor, size_t* size) {
    *size = 4096;
    return 0;
}

int cudnnGetRNNTempSpaceSizes(void* handle, void* descriptor, int mode, void* x, size_t* work,
                              size_t* reserve) {
    if (work) *work = 1024;
    if (reserve) *reserve = 1024;
    return 0;
}

int cudnnDropoutGetStatesSize(void* handle, size_t* size) {
    *size = 1024;
    return 0;
}

int cudnnGetCTCLossWorkspaceSize_v8(void* handle, int algorithm, void* loss, void* probabilities,
                                    void* gradients, size_t* size) {
    *size = 1024;
    return 0;
}

int cudnnGetBatchNormalizationForwardTrainingExWorkspaceSize(void* handle, int mode, int operations,
                                                             void* x, void* z, void* y, void* scale,
                                                             void* activation, size_t* size) {
    *size = 1024;
    return 0;
}

int cudnnGetBatchNormalizationBackwardExWorkspaceSize(void* handle, int mode, int operations, void* x,
                                                      void* y, void* dy, void* dz, void* dx,
                                                      void* scale, void* activation, size_t* size) {
    *size = 1024;
    return 0;
}

int cudnnGetBatchNormalizationTrainingExReserveSpaceSize(void* handle, int mode, int operations,
                                                         void* activation, void* x, size_t* size) {
    *size = 1024;
    return 0;
}
