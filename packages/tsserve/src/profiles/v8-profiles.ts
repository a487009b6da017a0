/** What V8's inspector says of a function: `Runtime.CallFrame` (chromedevtools.github.io/devtools-protocol/v8/Runtime). */
export interface CallFrame {
  readonly functionName: string;
  readonly url: string;
  /** From 0 on, as the inspector counts. */
  readonly lineNumber: number;
  readonly columnNumber: number;
}

/** A `.cpuprofile`: `Profiler.Profile`. */
export interface CpuProfile {
  readonly nodes: readonly CpuNode[];
  /** Microseconds of a clock of its own. */
  readonly startTime: number;
  readonly endTime: number;
  /** The id of the node that ran, at each sample. */
  readonly samples?: readonly number[];
  /** Microseconds between a sample and the one before. */
  readonly timeDeltas?: readonly number[];
}

export interface CpuNode {
  readonly id: number;
  readonly callFrame: CallFrame;
  readonly hitCount?: number;
  readonly children?: readonly number[];
}

/** A `.heapprofile`: `HeapProfiler.SamplingHeapProfile`. */
export interface HeapProfile {
  readonly head: HeapNode;
}

export interface HeapNode {
  readonly callFrame: CallFrame;
  /** Bytes that were allocated here, and are in use, scaled up from the samples. */
  readonly selfSize: number;
  readonly children: readonly HeapNode[];
}
