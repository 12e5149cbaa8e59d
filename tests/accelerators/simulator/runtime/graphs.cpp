// Graphs: a capture notes how many kernels it has seen and how long they run; a launch runs so long.
#include "simulator.h"

using namespace simulator;

extern "C" {

Error cudaStreamIsCapturing(cudaStream_t handle, cudaStreamCaptureStatus* status) {
    if (Error error = succeeded()) return error;
    Lock lock(state().mutex);
    const int capture = stream_of(handle).capture;
    *status = !capture ? cudaStreamCaptureStatusNone
              : state().captures[capture].is_valid ? cudaStreamCaptureStatusActive
                                                   : cudaStreamCaptureStatusInvalidated;
    return cudaSuccess;
}

Error cudaStreamGetCaptureInfo(cudaStream_t stream, cudaStreamCaptureStatus* status,
                               unsigned long long* id, cudaGraph_t* graph,
                               const cudaGraphNode_t** nodes, const void** edges, size_t* count) {
    Lock lock(state().mutex);
    if (id) *id = stream_of(stream).capture;
    if (graph) *graph = nullptr;
    if (nodes) *nodes = nullptr;
    if (edges) *edges = nullptr;
    if (count) *count = 0;
    return cudaStreamIsCapturing(stream, status);
}

Error cudaStreamGetCaptureInfo_v2(cudaStream_t stream, cudaStreamCaptureStatus* status,
                                  unsigned long long* id, cudaGraph_t* graph,
                                  const cudaGraphNode_t** nodes, size_t* count) {
    return cudaStreamGetCaptureInfo(stream, status, id, graph, nodes, nullptr, count);
}

Error cudaStreamBeginCapture(cudaStream_t stream, cudaStreamCaptureMode mode) {
    if (Error error = succeeded()) return error;
    Lock lock(state().mutex);
    if (!stream) return failed(cudaErrorStreamCaptureUnsupported);
    const int id = ++state().last_capture;
    Capture capture;
    capture.mode = mode;
    capture.thread = std::this_thread::get_id();
    state().captures[id] = capture;
    stream_of(stream).capture = id;
    return cudaSuccess;
}

Error cudaStreamEndCapture(cudaStream_t handle, cudaGraph_t* graph) {
    Lock lock(state().mutex);
    *graph = nullptr;
    const int id = stream_of(handle).capture;
    const Capture capture = state().captures[id];
    state().captures.erase(id);
    for (auto& [_, stream] : state().streams) {
        if (stream.capture == id) stream.capture = 0;
    }
    if (!capture.is_valid) return failed(cudaErrorStreamCaptureInvalidated);
    void* made = new_handle();
    state().graphs[made] = capture.recorded;
    *graph = static_cast<cudaGraph_t>(made);
    return cudaSuccess;
}

Error cudaThreadExchangeStreamCaptureMode(cudaStreamCaptureMode* mode) {
    static thread_local cudaStreamCaptureMode current = cudaStreamCaptureModeGlobal;
    const cudaStreamCaptureMode before = current;
    current = *mode;
    *mode = before;
    return cudaSuccess;
}

Error cudaGraphInstantiateWithFlags(cudaGraphExec_t* executable, cudaGraph_t graph,
                                    unsigned long long) {
    Lock lock(state().mutex);
    void* made = new_handle();
    state().graphs[made] = state().graphs[graph];
    *executable = static_cast<cudaGraphExec_t>(made);
    return cudaSuccess;
}

Error cudaGraphInstantiate(cudaGraphExec_t* executable, cudaGraph_t graph, unsigned long long flags) {
    return cudaGraphInstantiateWithFlags(executable, graph, flags);
}

Error cudaGraphLaunch(cudaGraphExec_t executable, cudaStream_t stream) {
    Lock lock(state().mutex);
    const Graph& graph = state().graphs[executable];
    if (Error error = run_on(stream, graph.kernel_us)) return error;
    state().kernels += graph.kernels - 1;
    return cudaSuccess;
}

Error cudaGraphGetNodes(cudaGraph_t graph, cudaGraphNode_t*, size_t* count) {
    Lock lock(state().mutex);
    *count = size_t(state().graphs[graph].kernels);
    return cudaSuccess;
}

}  // extern "C"
