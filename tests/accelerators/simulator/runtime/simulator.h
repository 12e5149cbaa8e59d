// What the files of the simulated CUDA runtime share: the state of the devices, and how time passes.
//
// Memory is the host's. A kernel computes nothing; it only occupies its stream for some time. Each
// stream knows until when it is busy, and whoever waits for it waits for that moment of the clock.
#pragma once

#include "driver_types.h"

#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <unordered_map>

namespace simulator {

using Error = cudaError_t;

struct Stream {
    int device = 0;
    double busy_until = 0;  // microseconds of the clock
    int capture = 0;        // the capture that records this stream; 0 for none
};

struct Event {
    double at = 0;          // when the stream passes it
    bool is_recorded = false;
    int capture = 0;        // the capture that recorded it; 0 if it was recorded for real
};

struct Graph {
    double kernel_us = 0;
    long kernels = 0;
};

struct Capture {
    cudaStreamCaptureMode mode = cudaStreamCaptureModeGlobal;
    std::thread::id thread;
    bool is_valid = true;
    Graph recorded;
};

// All that belongs to the process. It is never destroyed, as PyTorch frees events at the very end.
struct State {
    std::recursive_mutex mutex;
    std::map<void*, Stream> streams;
    std::map<void*, Event> events;
    std::map<int, Capture> captures;
    std::map<void*, Graph> graphs;
    std::map<void*, size_t> allocations;
    std::unordered_map<const void*, std::string> kernel_names;
    size_t allocated = 0;
    size_t next_handle = 0x1000;
    int last_capture = 0;
    int failure = 0;        // an error that every call gives from now on, as after an assert
    long kernels = 0;       // that ran
    double kernel_us = 0;   // how long they ran
};

State& state();
using Lock = std::lock_guard<std::recursive_mutex>;

// How the machine is set up, by environment variables.
int device_count();
const char* device_name();
size_t device_memory();
double kernel_us();         // how long a kernel runs
double launch_latency_us(); // how long after its launch it can start at the earliest
double event_us();          // how long a stream takes to pass an event

// The device of this thread, and the last error of this thread.
int& current_device();
Error failed(Error error);
Error succeeded();          // the error of all calls after a device-side assert, else success

double now_us();
void wait_until(double moment);

void* new_handle();
Stream& stream_of(void* handle);

// Occupies a stream for some time, or adds that to the graph that is captured on it.
Error run_on(void* stream, double microseconds);
// Waits for a stream; an error where it is captured.
Error wait_for(void* stream);
// What a call that may spoil a capture gives: success, or an error where one goes on that forbids it.
Error forbidden_while_capturing();

}  // namespace simulator
