// Streams and events.
#include "simulator.h"

using namespace simulator;

extern "C" {

// --- streams ---------------------------------------------------------------------------------------

Error cudaStreamCreateWithPriority(cudaStream_t* stream, unsigned, int) {
    Lock lock(state().mutex);
    Stream made;
    made.device = current_device();
    void* handle = new_handle();
    state().streams[handle] = made;
    *stream = static_cast<cudaStream_t>(handle);
    return cudaSuccess;
}

Error cudaStreamCreate(cudaStream_t* stream) { return cudaStreamCreateWithPriority(stream, 0, 0); }

Error cudaStreamCreateWithFlags(cudaStream_t* stream, unsigned flags) {
    return cudaStreamCreateWithPriority(stream, flags, 0);
}

Error cudaStreamDestroy(cudaStream_t stream) {
    Lock lock(state().mutex);
    state().streams.erase(stream);
    return cudaSuccess;
}

Error cudaStreamGetPriority(cudaStream_t, int* priority) {
    *priority = 0;
    return cudaSuccess;
}

Error cudaStreamQuery(cudaStream_t handle) {
    if (Error error = succeeded()) return error;
    Lock lock(state().mutex);
    Stream& stream = stream_of(handle);
    if (stream.capture) {
        state().captures[stream.capture].is_valid = false;
        return failed(cudaErrorStreamCaptureUnsupported);
    }
    return now_us() < stream.busy_until ? cudaErrorNotReady : cudaSuccess;
}

Error cudaStreamSynchronize(cudaStream_t stream) { return wait_for(stream); }

Error cudaStreamWaitEvent(cudaStream_t handle, cudaEvent_t event, unsigned) {
    if (Error error = succeeded()) return error;
    Lock lock(state().mutex);
    Stream& stream = stream_of(handle);
    const Event& waited_for = state().events[event];
    // A stream that waits for a captured one is captured, too.
    if (waited_for.capture && !stream.capture) stream.capture = waited_for.capture;
    if (waited_for.at > stream.busy_until) stream.busy_until = waited_for.at;
    return cudaSuccess;
}

Error cudaStreamAddCallback(cudaStream_t, void*, void*, unsigned) { return cudaSuccess; }

Error cudaLaunchHostFunc(cudaStream_t, cudaHostFn_t function, void* argument) {
    function(argument);
    return cudaSuccess;
}

// --- events ----------------------------------------------------------------------------------------

Error cudaEventCreateWithFlags(cudaEvent_t* event, unsigned) {
    if (Error error = succeeded()) return error;
    Lock lock(state().mutex);
    void* handle = new_handle();
    state().events[handle] = Event();
    *event = static_cast<cudaEvent_t>(handle);
    return cudaSuccess;
}

Error cudaEventCreate(cudaEvent_t* event) { return cudaEventCreateWithFlags(event, 0); }

Error cudaEventDestroy(cudaEvent_t event) {
    Lock lock(state().mutex);
    state().events.erase(event);
    return cudaSuccess;
}

Error cudaEventRecordWithFlags(cudaEvent_t handle, cudaStream_t stream_handle, unsigned) {
    if (Error error = succeeded()) return error;
    Lock lock(state().mutex);
    Stream& stream = stream_of(stream_handle);
    Event& event = state().events[handle];
    event.capture = stream.capture;
    event.is_recorded = !stream.capture;
    event.at = 0;
    if (stream.capture) return cudaSuccess;
    const double earliest = now_us() + launch_latency_us();
    if (stream.busy_until < earliest) stream.busy_until = earliest;
    stream.busy_until += event_us();
    event.at = stream.busy_until;
    return cudaSuccess;
}

Error cudaEventRecord(cudaEvent_t event, cudaStream_t stream) {
    return cudaEventRecordWithFlags(event, stream, 0);
}

Error cudaEventQuery(cudaEvent_t handle) {
    if (Error error = succeeded()) return error;
    Lock lock(state().mutex);
    if (Error error = forbidden_while_capturing()) return error;
    const Event& event = state().events[handle];
    return event.is_recorded && now_us() < event.at ? cudaErrorNotReady : cudaSuccess;
}

Error cudaEventSynchronize(cudaEvent_t handle) {
    if (Error error = succeeded()) return error;
    double moment;
    {
        Lock lock(state().mutex);
        if (Error error = forbidden_while_capturing()) return error;
        moment = state().events[handle].at;
    }
    wait_until(moment);
    return cudaSuccess;
}

Error cudaEventElapsedTime(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
    if (Error error = succeeded()) return error;
    Lock lock(state().mutex);
    const Event& first = state().events[from];
    const Event& last = state().events[to];
    if (!first.is_recorded || !last.is_recorded) return failed(cudaErrorInvalidResourceHandle);
    *milliseconds = float((last.at - first.at) / 1e3);
    return cudaSuccess;
}

Error cudaEventElapsedTime_v2(float* milliseconds, cudaEvent_t from, cudaEvent_t to) {
    return cudaEventElapsedTime(milliseconds, from, to);
}

}  // extern "C"
