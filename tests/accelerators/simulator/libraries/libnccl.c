// What of NCCL PyTorch looks at: a group of one process.
#include <string.h>

const char* ncclGetErrorString(int error) { return "an error of the simulated NCCL"; }
const char* ncclGetLastError(void* communicator) { return "an error of the simulated NCCL"; }

int ncclGetVersion(int* version) {
    *version = 22907;
    return 0;
}

int ncclGetUniqueId(void* id) {
    memset(id, 1, 128);
    return 0;
}

int ncclCommGetAsyncError(void* communicator, int* error) {
    *error = 0;
    return 0;
}

int ncclCommCount(void* communicator, int* count) {
    *count = 1;
    return 0;
}
