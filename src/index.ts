/**
 * webgpu-gpt2: trains, fine-tunes and samples GPT-2 on WebGPU. Everything here runs in Node and in a browser alike;
 * `openGpu` comes from `webgpu-gpt2/node` or from `webgpu-gpt2/browser`.
 */

/** Reverse-mode differentiation: appends the gradients of seeds to their tape. */
export { backward, type Seed } from "./autograd/backward.ts";
/** Types that the names above take and give. */
export type { Run } from "./autograd/gradcheck.ts";
/** Compares every entry of an op's Jacobian with central differences, in float64. */
export {
  checkJacobian,
  drawOpInputs,
  FINITE_DIFFERENCE_BOUND,
  type GradientError,
  type OpTape,
  relativeL2,
  traceOp,
} from "./autograd/gradcheck.ts";
export type { NodeRange } from "./autograd/recompute.ts";
export type { Section } from "./autograd/tape.ts";
/** A tape: the straight-line program of ops that model code records and a runtime compiles. */
export { createTape, type Node, type Origin, type Tape } from "./autograd/tape.ts";
/** Element types, and the arrays that hold them on the CPU. */
export type { DType, FloatArray, FloatDType, NumericArray, Precision } from "./core/dtype.ts";
export type { ErrorKind, UserErrorOptions } from "./core/errors.ts";
/** A mistake that the user can mend; its message says how. A device that went away, or was closed. Any other error is a bug. */
export { ClosedError, DeviceLostError, NotFiniteError, UserError } from "./core/errors.ts";
export type { Philox } from "./core/philox.ts";
/** Philox 4x32-10: every random number is a function of (seed, stream, item, step). */
export { fillNormal, permutation, philox, uniform24 } from "./core/philox.ts";
export { formatShape, formatType, rowsAndColumns, type Shape, sameShape, sizeOf } from "./core/shape.ts";
export type { StartedThread, ThreadHost, ThreadJob } from "./core/threads.ts";
export type { Columns } from "./data/columns.ts";
export type { EncodedRecords } from "./data/encode.ts";
export type { Findings } from "./data/findings.ts";
/** Training data out of sources: files that were dropped on a page, texts, lists of records, or what `webgpu-gpt2/node` opens. */
export { type BlobSourceOptions, blobSource, recordsSource, textSource } from "./data/memory-source.ts";
export {
  type DataOptions,
  type OpenData,
  openData,
  type SourceReport,
  type TokenizerOf,
  type TrainingData,
} from "./data/open.ts";
export type { AlphabetOptions, EncodedPiece, ReadOptions } from "./data/read.ts";
/** Files of many formats, read in pieces, as records and as ids. */
export { alphabetOf, type DataFile, encodeAsStream, encodeFiles, readRecords } from "./data/read.ts";
/** A text's lines as records that begin and end in the end token. */
export { type Dataset, encodeRecords, linesOf } from "./data/records.ts";
export { type DataReport, paddingShare } from "./data/report.ts";
/** Records, and long texts, that training reads from. */
export { type Sequence, type Sequences, sequencesOf, type TokenStream } from "./data/sequence.ts";
export type { RandomFile } from "./data/source.ts";
export { type ByteSource, type DataFormat, type DataSource, formatOf, type RecordBatch } from "./data/source.ts";
export type { Selection } from "./data/split.ts";
export { splitRecords } from "./data/split.ts";
export type { DataListener } from "./data/text-tokens.ts";
/** Where ids of long texts are kept: `tokenCache` of `webgpu-gpt2/node`, or one's own. */
export type { CachedFolder, OpenCache, TokenCache } from "./data/token-cache.ts";
export type { LengthCounts } from "./data/token-meta.ts";
/** Continues prompts: greedy, sampled or by beams, whole or token by token; options by Hugging Face's names. */
export { type LayerAttention, readAttention } from "./generate/attention.ts";
export type { TokenLogProbability } from "./generate/decoder.ts";
export {
  createGenerator,
  type Generated,
  type Generator,
  type SequenceResult,
  type SequenceToken,
  type Token,
} from "./generate/generate.ts";
export { generationOptions } from "./generate/option-elsewhere.ts";
export type { GenerateOptions, Generation, GenerationTokenizer } from "./generate/options.ts";
export { type NextTokenRules, nextTokenDistribution } from "./generate/processors.ts";
/** How likely a model finds texts that exist. */
export { createScorer, type Scorer } from "./generate/score.ts";
export { createTextStream, showableLength, type TextStream } from "./generate/text-stream.ts";
export { slidingWindows, type Window } from "./generate/windows.ts";
/** An open device, as `openGpu` gives it. */
export type {
  AdapterKind,
  DeviceRequest,
  Fault,
  Gpu,
  GpuInfo,
  GpuLimits,
  Probe,
  SubgroupMatrixConfig,
} from "./gpu/device.ts";
/** PEFT directories, read and written. */
export { type Adapter, openAdapter, readCorrections } from "./io/adapter.ts";
export type { BaseModel } from "./io/adapter-config.ts";
export type { CheckpointOptions, CheckpointTensor, FileSource } from "./io/checkpoint.ts";
export type { ModelDescription } from "./io/checkpoint-write.ts";
/** GPT-2 directories as Hugging Face has them, read from and written to maps of file names and bytes. */
export { endIdsOf } from "./io/generation-config.ts";
export { type ModelDirectory, readModelDirectory, writeModelDirectory } from "./io/huggingface.ts";
/** safetensors files, checked against every rule of the format. */
export { parseSafetensors, type Safetensors, type SafetensorsDtype, type TensorInfo } from "./io/safetensors.ts";
export { type TensorData, type TensorSpec, writeSafetensors } from "./io/safetensors-write.ts";
/** Elements out of a safetensors file. */
export { toFloat32, toInt32 } from "./io/tensor-data.ts";
export type { AdamWAttrs } from "./kernels/adamw.ts";
/** AdamW (Loshchilov & Hutter 2019) over arenas, in place. */
export { type AdamWOptions, type AdamWState, adamw } from "./kernels/adamw.ts";
export { add } from "./kernels/add.ts";
export type { AttentionAttrs } from "./kernels/attention.ts";
/** Causal self-attention that never stores the T x T matrix. */
export { attention } from "./kernels/attention.ts";
export { columnSum } from "./kernels/column-sum.ts";
export type { CrossEntropyAttrs } from "./kernels/cross-entropy.ts";
export { crossEntropy, IGNORED_LABEL } from "./kernels/cross-entropy.ts";
/** What a kernel is to a GPU, as plain data, and helpers that make it; its text may be a shader of ours or WGSL of one's own. */
export {
  type Binding,
  type Dispatch,
  type Extension,
  grid1d,
  gridOf,
  read,
  type Scratch,
  type Shader,
  type ShaderName,
  type Span,
  type StoredType,
  spansOf,
  storedType,
  storeShader,
  type Wgsl,
  write,
} from "./kernels/dispatch.ts";
export { dropout } from "./kernels/dropout.ts";
export { embedding, sortedOrder } from "./kernels/embedding.ts";
export type { GeluAttrs } from "./kernels/gelu.ts";
export { gelu } from "./kernels/gelu.ts";
/** Places in the statistics that a training step gives: norm, clip scale, healthy. */
export { CLIP_SCALE, gradientNorm, HEALTHY, NORM } from "./kernels/gradient-norm.ts";
/** Every op there is. */
export { OPS } from "./kernels/index.ts";
export type { LayerNormAttrs } from "./kernels/layer-norm.ts";
export { layerNorm } from "./kernels/layer-norm.ts";
export type { MatmulOptions } from "./kernels/matmul.ts";
export { matmul } from "./kernels/matmul.ts";
/** The contract of an op: define one, and the tape, both executors and the checkers take it. */
export {
  type AnyGpuKernel,
  type AnyOp,
  type CaseInput,
  type CpuTensor,
  defineOp,
  expectFloat,
  expectType,
  f16,
  f32,
  type GpuKernel,
  type Op,
  type OpCase,
  type OpSpec,
  type Recorder,
  shapeError,
  type TensorType,
  type Value,
  type VjpContext,
} from "./kernels/op.ts";
export { scaledSum } from "./kernels/scaled-sum.ts";
/** The scalars that change from step to step: seed, step number, learning rate, loss scale. */
export { packStep, STEP, type StepScalars, unpackStep } from "./kernels/step.ts";
export type { SubgroupMatrix } from "./kernels/traits.ts";
/** What kernels may know of an adapter. */
export { DEFAULT_TRAITS, type Traits } from "./kernels/traits.ts";
export type { Tuning } from "./kernels/tuning.ts";
export type { Device, DeviceChoice, Environment, Notice } from "./library/environment.ts";
/** Models that are trained, sampled and saved in a call each: `loadModel` and `createModel` are those of Node or of a browser. */
export {
  type FinetuneData,
  type FinetuneOptions,
  type FinetuneResult,
  type FinetuneSettings,
  finetune,
  type TrainingTexts,
} from "./library/finetune.ts";
export type { LoadOptions, ModelSource, NewModelConfig } from "./library/load.ts";
export type {
  AttentionOptions,
  CallOptions,
  Loss,
  Model,
  SaveOptions,
  SimilarToken,
  TextAttention,
  TextOptions,
} from "./library/model.ts";
export type { ArenaPart, ArenaState, StateStore } from "./model/arena.ts";
/** Where parameters, gradients and moments lie: one arena each, in several states where it is large. */
export { ARENA, type Arena, type ArenaLayout, readArena, statesOf, writeArena } from "./model/arena.ts";
/** The shape of a GPT-2, the published sizes, and what a config's parameters are called. */
export {
  GPT2_PRESETS,
  type Gpt2Config,
  type Gpt2PresetName,
  gpt2Config,
  parameterShapes,
  validateConfig,
} from "./model/config.ts";
/** GPT-2 as tape code: inputs, the trunk, the classifier. */
export {
  type BatchShape,
  declareInputs,
  type Gpt2Inputs,
  gpt2Classifier,
  gpt2Logits,
  gpt2Trunk,
} from "./model/gpt2.ts";
export type { LoraLayer } from "./model/lora.ts";
/** LoRA: corrections that train while the weights stay. */
export { LORA_DEFAULTS, type LoraOptions, loraLayers, mergeLora } from "./model/lora.ts";
export { type NearToken, nearestTokens } from "./model/nearest-tokens.ts";
/** Parameters in one arena: where each lies, how it starts, and names to and from it. */
export {
  declareParameters,
  initialCorrections,
  initialParameters,
  type LayoutOptions,
  layoutParameters,
  type ParameterEntry,
  type ParameterGroup,
  type ParameterLayout,
  type Parameters,
  packParameters,
  type RateFactor,
  trainedEntries,
  unpackParameters,
} from "./model/parameters.ts";
export type { Timed } from "./report/history.ts";
/** What a run tells its listeners, as the files that people have tools for, and as a page: text and bytes, in a browser too. */
export { historyOf, type RunHistory } from "./report/history.ts";
export type { EndLine, EvaluationLine, LogLine, NoticeLine, SamplesLine, StartLine } from "./report/lines.ts";
export { formatLine, lineListener, parseLines, type RunLine } from "./report/lines.ts";
export { reportPage } from "./report/page.ts";
export { eventFileName, eventsOf, fileStart } from "./report/tensorboard.ts";
export type { LogHistoryEntry, TrainerStateRecorder } from "./report/trainer-state.ts";
export {
  createTrainerStateRecorder,
  formatTrainerState,
  logHistoryOf,
  type TrainerPlace,
  type TrainerState,
  type TrainerStatePlan,
} from "./report/trainer-state.ts";
export type { Writer } from "./run/journal.ts";
export { type CreateJournal, createJournal, type Journal, leanJournal } from "./run/journal.ts";
export type { KeeperOptions, RunHome } from "./run/keeper.ts";
export type { OpenModel } from "./run/model.ts";
export type { ModelFiles } from "./run/open-model.ts";
export { openModelFiles } from "./run/open-model.ts";
/** A run as `gpt2 train` makes them: planned, trained, kept in a folder, told to listeners; in Node, in a page, and in memory. */
export { type PlanOptions, planTraining, type TrainPlan } from "./run/plan.ts";
export { type ReadRun, readRun } from "./run/read.ts";
export { alphabetOfRun, isRun } from "./run/resume.ts";
export type { OpenRuntime } from "./run/session.ts";
export { fieldElsewhere } from "./run/settings/elsewhere.ts";
export { type FieldElsewhere, parseSettings, settingsFromJson, settingsToJson } from "./run/settings/json.ts";
export type { SettingLayers } from "./run/settings/resolve.ts";
export { resolveSettings } from "./run/settings/resolve.ts";
export type { SettingKey, TrainSettings } from "./run/settings/table.ts";
export { type RunOptions, type RunResult, trainRun } from "./run/train-run.ts";
/** Runs one op on a runtime, and how far two runtimes are apart on it. */
export { type Comparison, compareOp, compareTensors, needsHalves, runOp } from "./runtime/compare.ts";
export type { CpuRuntimeOptions } from "./runtime/cpu.ts";
/** The CPU reference, in float32 or float64. */
export { createCpuRuntime } from "./runtime/cpu.ts";
/** Runs tapes on a GPU. */
export { createGpuRuntime, type GpuRuntimeOptions } from "./runtime/gpu.ts";
export type { Forecast, MemoryNeed } from "./runtime/need.ts";
export type { DispatchTime, Program, ProgramStats, Runtime, Tensors } from "./runtime/runtime.ts";
export type { WasmRuntimeOptions } from "./runtime/wasm.ts";
/** Runs tapes on the CPU in WebAssembly, on the threads of `nodeThreads` (webgpu-gpt2/node) or `browserThreads` (/browser). */
export { createWasmRuntime, openWasm, type WasmDevice } from "./runtime/wasm.ts";
/** Files that must not be lost, whatever keeps them: a file system (`nodeFolder`), a browser (`opfsFolder`), memory. */
export type { Entry, FileDigest, Folder, Lock, StoredFile, WriteFile } from "./storage/folder.ts";
export { memoryFolder } from "./storage/memory.ts";
/** Tokenizers: bytes, the characters of a text, GPT-2's own BPE, or what a model directory has. */
export { byteTokenizer } from "./text/byte.ts";
export type { CharTokenizerOptions } from "./text/char.ts";
export { charTokenizer, charTokenizerOf } from "./text/char.ts";
export { gpt2Tokenizer } from "./text/gpt2.ts";
export type { TextFiles } from "./text/json-files.ts";
export { type LoadedTokenizer, loadTokenizer } from "./text/load.ts";
export { END_OF_TEXT, requireEndId, type Tokenizer } from "./text/tokenizer.ts";
/** Batches of records of any lengths; padding is known by length, never by id. */
export { type Batch, collate, collateRows, makeBatch } from "./train/batch.ts";
export type { AdapterDescription, TensorPlace } from "./train/checkpoint.ts";
/** Weights and moments as files, written and read piece by piece with every bit kept. */
export {
  adapterFiles,
  modelFiles,
  optimizerFile,
  type PlannedFile,
  restoreStates,
  restoreTensors,
} from "./train/checkpoint.ts";
export type { ClassifierLoss, ClassifierOptions } from "./train/classifier.ts";
/** The loss without whole logits: classifier and cross-entropy, a chunk of rows at a time. */
export { classifierLoss } from "./train/classifier.ts";
/** The loss on records that are not trained on. */
export { createEvaluator, type Evaluation, type Evaluator } from "./train/evaluate.ts";
export type * from "./train/events.ts";
export { listeners, type RunDescription, type RunListener } from "./train/events.ts";
/** Which records each step takes: one a row, several packed into one, or windows of a long text. */
export { type Fit, type FitRequest, type MemoryBudget, prepareWithin, trainerTapes } from "./train/fit.ts";
/** Goes on from the last checkpoint, on another device, when one is lost. */
export { type RecoveryOptions, withRecovery } from "./train/recovery.ts";
export type { RowOptions, StepRows } from "./train/rows.ts";
export { packedRows, type Row, type RowSource, recordRows, windowRows, windowsOf } from "./train/rows.ts";
export { checkSchedule, learningRateAt, type Schedule, type ScheduleName, usualWarmup } from "./train/schedule.ts";
/** Tapes of a training step, whole or in micro-batches, of gradients alone, of the loss alone. */
export {
  evaluationTape,
  gradientTape,
  microBatchTape,
  type StepOptions,
  trainingTape,
  updateTape,
} from "./train/step.ts";
export type { GroupResult } from "./train/trainer.ts";
/** Runs the steps of a training run, giving each one's numbers as they come back. */
export {
  createTrainer,
  type ProfiledTape,
  resetOptimizer,
  type StepResult,
  type Trainer,
  type TrainOptions,
} from "./train/trainer.ts";
/** Compares a runtime's logits, loss, gradients and optimiser steps with what a fixture expects. */
export { builtInFixture } from "./verify/built-in.ts";
/** Checks an op on its cases: its gradient by differences, then a runtime against the CPU. */
export { checkOp, DEVICE_BOUND, type OpReport } from "./verify/check-op.ts";
export { readFixture } from "./verify/directory.ts";
export type { Expected } from "./verify/fixture.ts";
export { type Check, type Fixture, passed } from "./verify/fixture.ts";
export { verify } from "./verify/verify.ts";
