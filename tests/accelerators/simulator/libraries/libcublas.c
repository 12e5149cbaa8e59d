// What of cuBLAS PyTorch looks at: products occupy the stream that was set last in their thread.
static _Thread_local void* stream;

int simulator_run_kernel(void* stream);

int cublasSetStream_v2(void* handle, void* chosen) {
    stream = chosen;
    return 0;
}

int cublasGetVersion_v2(void* handle, int* version) {
    *version = 130000;
    return 0;
}

const char* cublasGetStatusString(int status) { return "a status of the simulated cuBLAS"; }

#define KERNEL(name) \
    int name(void) { return simulator_run_kernel(stream) ? 13 : 0; }  // 13: execution failed
#define FOR_EACH_TYPE(name) \
    KERNEL(cublasS##name) KERNEL(cublasD##name) KERNEL(cublasC##name) KERNEL(cublasZ##name)

FOR_EACH_TYPE(gemm_v2)
FOR_EACH_TYPE(gemv_v2)
FOR_EACH_TYPE(gemmStridedBatched)
KERNEL(cublasSgemmEx)
KERNEL(cublasGemmEx)
KERNEL(cublasGemmStridedBatchedEx)
KERNEL(cublasSdot_v2)
KERNEL(cublasDdot_v2)
KERNEL(cublasCdotc_v2)
KERNEL(cublasCdotu_v2)
KERNEL(cublasZdotc_v2)
KERNEL(cublasZdotu_v2)
