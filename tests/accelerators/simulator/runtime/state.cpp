// The state of the simulated devices, and the passing of time on their streams.
#include "simulator.h"

#include <cstdlib>
#include <ctime>

namespace simulator {

State& state() {
    static State& only = *new State;
    return only;
}

namespace {

double number_setting(const char* name, double otherwise) {
    const char* value = std::getenv(name);
    return value ? std::atof(value) : otherwise;
}

thread_local int device_of_this_thread = 0;
thread_local Error error_of_this_thread = cudaSuccess;

}  // namespace

int device_count() {
    static const int value = int(number_setting("SIMULATOR_DEVICES", 1));
    return value;
}

const char* device_name() {
    static const char* const value = std::getenv("SIMULATOR_NAME");
    return value ? value : "NVIDIA H200";
}

size_t device_memory() {
    static const size_t value = size_t(number_setting("SIMULATOR_MEMORY", 150754820096.0));
    return value;
}

double kernel_us() {
    static const double value = number_setting("SIMULATOR_KERNEL_US", 3);
    return value;
}

double launch_latency_us() {
    static const double value = number_setting("SIMULATOR_LATENCY_US", 2);
    return value;
}

double event_us() {
    static const double value = number_setting("SIMULATOR_EVENT_US", 0.5);
    return value;
}

int& current_device() { return device_of_this_thread; }

Error failed(Error error) { return error_of_this_thread = error; }

Error succeeded() { return state().failure ? failed(Error(state().failure)) : cudaSuccess; }

double now_us() {
    timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * 1e6 + time.tv_nsec / 1e3;
}

void wait_until(double moment) {
    while (now_us() < moment) {
    }
}

void* new_handle() { return reinterpret_cast<void*>(state().next_handle += 16); }

Stream& stream_of(void* handle) {
    // The default streams have the numbers 0, 1 and 2, and each device has its own.
    if (reinterpret_cast<size_t>(handle) < 3) {
        handle = reinterpret_cast<void*>(size_t(0x100 + current_device()));
    }
    auto& streams = state().streams;
    auto found = streams.find(handle);
    if (found == streams.end()) {
        Stream made;
        made.device = current_device();
        found = streams.emplace(handle, made).first;
    }
    return found->second;
}

Error run_on(void* handle, double microseconds) {
    if (Error error = succeeded()) return error;
    Lock lock(state().mutex);
    Stream& stream = stream_of(handle);
    if (stream.capture) {
        Graph& graph = state().captures[stream.capture].recorded;
        graph.kernels += 1;
        graph.kernel_us += microseconds;
        return cudaSuccess;
    }
    const double earliest = now_us() + launch_latency_us();
    if (stream.busy_until < earliest) stream.busy_until = earliest;
    stream.busy_until += microseconds;
    state().kernels += 1;
    state().kernel_us += microseconds;
    return cudaSuccess;
}

Error wait_for(void* handle) {
    if (Error error = succeeded()) return error;
    double moment;
    {
        Lock lock(state().mutex);
        Stream& stream = stream_of(handle);
        if (stream.capture) {
            state().captures[stream.capture].is_valid = false;
            return failed(cudaErrorStreamCaptureUnsupported);
        }
        moment = stream.busy_until;
    }
    wait_until(moment);
    return cudaSuccess;
}

Error forbidden_while_capturing() {
    Error error = cudaSuccess;
    for (auto& [id, capture] : state().captures) {
        const bool own = capture.thread == std::this_thread::get_id();
        if (capture.mode == cudaStreamCaptureModeGlobal ||
            (capture.mode == cudaStreamCaptureModeThreadLocal && own)) {
            capture.is_valid = false;
            error = failed(cudaErrorStreamCaptureUnsupported);
        }
    }
    return error;
}

}  // namespace simulator

using namespace simulator;

extern "C" {

// --- for tests: see control.py --------------------------------------------------------------------

void simulator_fail_from_now_on(int error) { state().failure = error; }
long simulator_kernels() { return state().kernels; }
double simulator_kernel_us() { return state().kernel_us; }

void simulator_reset() {
    state().kernels = 0;
    state().kernel_us = 0;
}

// --- errors ---------------------------------------------------------------------------------------

Error cudaPeekAtLastError() { return state().failure ? Error(state().failure) : error_of_this_thread; }

Error cudaGetLastError() {
    const Error error = cudaPeekAtLastError();
    error_of_this_thread = cudaSuccess;
    return error;
}

const char* cudaGetErrorName(Error error) {
    switch (error) {
        case cudaSuccess: return "cudaSuccess";
        case cudaErrorMemoryAllocation: return "cudaErrorMemoryAllocation";
        case cudaErrorAssert: return "cudaErrorAssert";
        case cudaErrorStreamCaptureUnsupported: return "cudaErrorStreamCaptureUnsupported";
        case cudaErrorStreamCaptureInvalidated: return "cudaErrorStreamCaptureInvalidated";
        default: return "cudaErrorOfTheSimulator";
    }
}

const char* cudaGetErrorString(Error error) {
    switch (error) {
        case cudaSuccess: return "no error";
        case cudaErrorMemoryAllocation: return "out of memory";
        case cudaErrorAssert: return "device-side assert triggered";
        case cudaErrorStreamCaptureUnsupported:
            return "operation not permitted when stream is capturing";
        case cudaErrorStreamCaptureInvalidated:
            return "operation failed due to a previous error during capture";
        default: return "an error of the simulator";
    }
}

}  // extern "C"
