// What of the driver PyTorch looks at.
int cuDeviceGetAttribute(int* value, int attribute, int device) {
    *value = 1;
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
