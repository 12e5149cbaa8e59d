// What of the compiler at run time PyTorch looks at: programs compile to 8 bytes.
#include <stddef.h>

static char program[8];

const char* nvrtcGetErrorString(int error) { return "an error of the simulated NVRTC"; }

int nvrtcVersion(int* major, int* minor) {
    *major = 13;
    *minor = 0;
    return 0;
}

int nvrtcCreateProgram(void** made) {
    *made = program;
    return 0;
}

static int size_of_program(size_t* size) {
    *size = sizeof program;
    return 0;
}

int nvrtcGetPTXSize(void* made, size_t* size) { return size_of_program(size); }
int nvrtcGetCUBINSize(void* made, size_t* size) { return size_of_program(size); }
int nvrtcGetProgramLogSize(void* made, size_t* size) { return size_of_program(size); }

int nvrtcGetLoweredName(void* made, const char* name, const char** lowered) {
    *lowered = name;
    return 0;
}

int nvrtcGetNumSupportedArchs(int* count) {
    *count = 1;
    return 0;
}

int nvrtcGetSupportedArchs(int* architectures) {
    *architectures = 90;
    return 0;
}
