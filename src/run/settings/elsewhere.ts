import { absent, leaveOut } from "../../core/remedies.ts";
import { fileName, type SettingKey } from "./table.ts";

/** How a setting is spelt where the message is read: `--learning-rate` or `learning_rate`. */
export type SpellSetting = (key: SettingKey) => string;

/** What to do instead of a name that other tools have; `value` is what it was given, in lower case. */
type Remedy = (spell: SpellSetting, value: string) => string;

const its =
  (key: SettingKey, note = ""): Remedy =>
  (spell) =>
    `it is ${spell(key)} here${note}`;
const say =
  (what: string): Remedy =>
  () =>
    what;

const OFF = ["no", "none", "false", "0", "off", "never"];

/** How often something is done is said in steps; "no" switches it off. */
const strategy =
  (often: SettingKey, off: (spell: SpellSetting) => string): Remedy =>
  (spell, value) => {
    if (OFF.includes(value)) return off(spell);
    if (value === "epoch") return `give ${spell(often)}; a plan (--dry-run) says how many steps are an epoch`;
    return `leave it out: ${spell(often)} says how often`;
  };
const evaluates = strategy(
  "evalSteps",
  (o) => `leave it out: without ${o("evalData")} and ${o("evalSplit")} nothing is evaluated`,
);
const half: Remedy = (o, value) =>
  OFF.includes(value) ? `leave it out: ${o("precision")} is f32 anyway` : `give ${o("precision")} f16`;
const bfloat: Remedy = (o, value) =>
  OFF.includes(value)
    ? half(o, value)
    : `WebGPU has no bfloat16; ${o("precision")} f16 is half precision, with a loss scale`;
const oneDevice = leaveOut("one device trains");
const tracked = leaveOut("every run writes TensorBoard files, metrics.jsonl and report.html into its directory");
const hub = absent("a model is a directory, which huggingface-cli uploads");
const reads = leaveOut("data is read from the disk while the device works");
const compiled = leaveOut("a step is always compiled, as one plan");
const quiet = leaveOut("a bar is drawn on terminals only");
const optimiser: Remedy = (_, value) =>
  value === "" || value.includes("adamw") ? "leave it out: AdamW is the optimiser" : "AdamW is the only optimiser here";
const never = absent("a run is never overwritten; choose another --output-dir, or go on with --resume");
const device = say("say it with --device: hardware, or wasm, the CPU on all its cores; without it, a GPU goes first");
const outputDirectory = say("it is --output-dir, on the command line");
const tokens: Remedy = (o) =>
  `a new model's tokenizer is ${o("tokenizer")} char, gpt2 or byte; that of ${o("model")} comes with it`;
const files: Remedy = (o) => `data is files here: download them, and give ${o("data")}`;
const dropout = its("dropout", ", one for embeddings, attention and residuals");
const fixed = (value: string) => leaveOut(`it is ${value}`);
const adaptersOnly = leaveOut("LoRA is switched on by its rank");
const whole = leaveOut("checkpoints are whole: weights, moments, and what a run counts");

/**
 * Names of settings in other tools, and what to do here: all of transformers' TrainingArguments (4 and 5) that are not ours,
 * arguments of its run_clm.py, GPT2Config's, PEFT's, TRL's and nanoGPT's, and what people type without looking.
 */
const ELSEWHERE: Readonly<Record<string, Remedy>> = {
  // transformers.TrainingArguments, in its order
  output_dir: outputDirectory,
  lr_scheduler_kwargs: (o) => `give ${o("minLr")} or ${o("decaySteps")}`,
  optim: optimiser,
  optim_args: optimiser,
  optim_target_modules: optimiser,
  adafactor: optimiser,
  average_tokens_across_devices: oneDevice,
  bf16: bfloat,
  fp16: half,
  bf16_full_eval: bfloat,
  fp16_full_eval: half,
  fp16_opt_level: half,
  fp16_backend: half,
  half_precision_backend: half,
  tf32: leaveOut("f32 is f32"),
  gradient_checkpointing_kwargs: its("recompute"),
  torch_compile: compiled,
  torch_compile_backend: compiled,
  torch_compile_mode: compiled,
  torchdynamo: compiled,
  jit_mode_eval: compiled,
  use_ipex: compiled,
  use_liger_kernel: leaveOut("attention, loss and norms are fused anyway"),
  liger_kernel_config: leaveOut("attention, loss and norms are fused anyway"),
  use_cache: leaveOut("training needs no cache"),
  neftune_noise_alpha: (o) => `it is not to be had here; there are ${o("dropout")} and ${o("labelSmoothingFactor")}`,
  torch_empty_cache_steps: leaveOut("a run takes what its plan says from the start"),
  auto_find_batch_size: leaveOut("a run that does not fit is refused at once, with what would"),
  logging_strategy: strategy("loggingSteps", (o) => `leave it out, and ${o("loggingSteps")} large`),
  logging_first_step: (o) => `give ${o("loggingSteps")} 1`,
  logging_dir: tracked,
  log_on_each_node: oneDevice,
  logging_nan_inf_filter: leaveOut("steps that are not finite are left out, and told of"),
  include_num_input_tokens_seen: leaveOut("every log line has it"),
  include_tokens_per_second: leaveOut("every log line has it"),
  log_level: quiet,
  log_level_replica: quiet,
  disable_tqdm: quiet,
  report_to: tracked,
  run_name: say("a run is called as its directory: --output-dir"),
  project: tracked,
  trackio_space_id: tracked,
  trackio_bucket_id: tracked,
  trackio_static_space_id: tracked,
  eval_strategy: evaluates,
  evaluation_strategy: evaluates,
  evaluate_during_training: evaluates,
  eval_delay: (o) => `it is not to be had here; there is ${o("evalSteps")}`,
  prediction_loss_only: leaveOut("evaluation is of the loss"),
  eval_do_concat_batches: leaveOut("evaluation is of the loss"),
  eval_use_gather_object: oneDevice,
  eval_accumulation_steps: leaveOut("evaluation is of the loss"),
  include_for_metrics: leaveOut("evaluation is of the loss"),
  include_inputs_for_metrics: leaveOut("evaluation is of the loss"),
  batch_eval_metrics: leaveOut("evaluation is of the loss"),
  save_only_model: whole,
  save_safetensors: leaveOut("weights are safetensors always"),
  save_strategy: strategy("saveSteps", (o) => `give ${o("saveSteps")} 0`),
  save_on_each_node: oneDevice,
  enable_jit_checkpoint: leaveOut("a run that is told to stop saves first"),
  push_to_hub: hub,
  push_to_hub_model_id: hub,
  push_to_hub_organization: hub,
  push_to_hub_token: hub,
  hub_token: hub,
  hub_private_repo: hub,
  hub_model_id: hub,
  hub_strategy: hub,
  hub_always_push: hub,
  hub_revision: hub,
  metric_for_best_model: leaveOut("the best model is that of the lowest evaluation loss"),
  greater_is_better: leaveOut("the best model is that of the lowest evaluation loss"),
  ignore_data_skip: leaveOut("a run goes on at its place in the data at once"),
  restore_callback_states_from_checkpoint: leaveOut("a run goes on with all that it counted"),
  full_determinism: leaveOut("a run is determined by its seed"),
  data_seed: its("seed", ", of data too"),
  use_cpu: device,
  no_cuda: device,
  use_mps_device: leaveOut("a GPU is used where there is one"),
  accelerator_config: oneDevice,
  parallelism_config: oneDevice,
  split_batches: oneDevice,
  dispatch_batches: oneDevice,
  dataloader_drop_last: leaveOut("a pass ends with the records that are left"),
  dataloader_num_workers: reads,
  dataloader_pin_memory: reads,
  dataloader_persistent_workers: reads,
  dataloader_prefetch_factor: reads,
  dataloader_multiprocessing_context: reads,
  dataloader_in_order: reads,
  remove_unused_columns: (o) => `leave it out: of tables ${o("textColumn")} alone is read`,
  label_names: leaveOut("labels are the tokens themselves"),
  train_sampling_strategy: leaveOut("records are drawn at random, by the seed"),
  group_by_length: (o) => `it is not to be had here; ${o("packing")} wastes no places`,
  length_column_name: (o) => `it is not to be had here; ${o("packing")} wastes no places`,
  ddp_find_unused_parameters: oneDevice,
  ddp_bucket_cap_mb: oneDevice,
  ddp_broadcast_buffers: oneDevice,
  ddp_static_graph: oneDevice,
  ddp_backend: oneDevice,
  ddp_timeout: oneDevice,
  xpu_backend: oneDevice,
  sharded_ddp: oneDevice,
  fsdp: oneDevice,
  fsdp_config: oneDevice,
  fsdp_min_num_params: oneDevice,
  fsdp_transformer_layer_cls_to_wrap: oneDevice,
  deepspeed: oneDevice,
  local_rank: oneDevice,
  tpu_num_cores: oneDevice,
  tpu_metrics_debug: oneDevice,
  mp_parameters: oneDevice,
  ray_scope: oneDevice,
  past_index: leaveOut("GPT-2 has no use for it"),
  debug: (o) => `leave it out: numbers that are not finite stop a run by ${o("maxSkippedSteps")}`,
  skip_memory_metrics: leaveOut("a run says beforehand what memory it takes"),
  do_train: leaveOut("gpt2 train trains"),
  do_eval: evaluates,
  do_predict: absent("gpt2 eval measures a model, gpt2 generate samples it"),
  resume_from_checkpoint: say("it is --resume RUN, on the command line"),
  overwrite_output_dir: never,
  per_gpu_train_batch_size: its("perDeviceTrainBatchSize"),
  per_gpu_eval_batch_size: its("perDeviceEvalBatchSize"),

  // its run_clm.py
  model_name_or_path: its("model"),
  model_name: its("model"),
  model_type: leaveOut("every model is a GPT-2"),
  config_name: (o) => `a new model's sizes are ${o("nLayer")}, ${o("nHead")}, ${o("nEmbd")} and ${o("nPositions")}`,
  config_overrides: (o) =>
    `a new model's sizes are ${o("nLayer")}, ${o("nHead")}, ${o("nEmbd")} and ${o("nPositions")}`,
  tokenizer_name: tokens,
  tokenizer_name_or_path: tokens,
  use_fast_tokenizer: tokens,
  cache_dir: say("downloads are kept where $HF_HOME says, tokens where $GPT2_CACHE does"),
  model_revision: (o) => `it is part of the name: ${o("model")} owner/name@revision`,
  token: say("the hub's token is $HF_TOKEN"),
  use_auth_token: say("the hub's token is $HF_TOKEN"),
  trust_remote_code: leaveOut("no code of a model is ever run"),
  low_cpu_mem_usage: leaveOut("weights are read piece by piece"),
  torch_dtype: its("precision", ": f32 or f16"),
  dataset_name: files,
  dataset_config_name: files,
  train_file: its("data"),
  validation_file: its("evalData"),
  test_file: absent("gpt2 eval measures a model"),
  validation_split_percentage: its("evalSplit", ", a share: 0.05 for 5"),
  max_train_samples: absent("give a smaller file, or fewer steps"),
  streaming: leaveOut("data is read piece by piece"),
  overwrite_cache: leaveOut("data that changed is tokenised anew"),
  preprocessing_num_workers: reads,
  keep_linebreaks: its("stream", ": one text, line ends kept"),
  text_column_name: its("textColumn"),
  early_stopping: its("earlyStoppingPatience"),

  // GPT2Config, and the names that other models have for the same
  n_ctx: its("nPositions"),
  max_position_embeddings: its("nPositions"),
  hidden_size: its("nEmbd"),
  d_model: its("nEmbd"),
  num_hidden_layers: its("nLayer"),
  num_layers: its("nLayer"),
  n_layers: its("nLayer"),
  num_attention_heads: its("nHead"),
  num_heads: its("nHead"),
  n_heads: its("nHead"),
  n_inner: fixed("four times the width"),
  vocab_size: leaveOut("the tokenizer has as many tokens as it has"),
  resid_pdrop: dropout,
  embd_pdrop: dropout,
  attn_pdrop: dropout,
  layer_norm_epsilon: fixed("1e-5"),
  initializer_range: fixed("0.02"),
  tie_word_embeddings: fixed("true for new models, and as it was for others"),
  attn_implementation: leaveOut("attention never stores its scores"),
  flash_attn: leaveOut("attention never stores its scores"),

  // PEFT, TRL
  use_lora: adaptersOnly,
  use_peft: adaptersOnly,
  peft: adaptersOnly,
  r: its("loraRank"),
  rank: its("loraRank"),
  target_modules: its("loraTargetModules"),
  lora_modules: its("loraTargetModules"),
  load_in_8bit: absent("weights are f32; LoRA saves the memory of moments"),
  load_in_4bit: absent("weights are f32; LoRA saves the memory of moments"),
  dataset_text_field: its("textColumn"),
  max_seq_length: its("nPositions"),
  max_length: its("nPositions"),
  seq_length: its("nPositions"),
  context_length: its("nPositions"),
  completion_only_loss: its("maskPrompt"),
  freeze_layers: its("freeze", ", names of parameters"),

  // nanoGPT's train.py
  out_dir: outputDirectory,
  eval_interval: its("evalSteps"),
  log_interval: its("loggingSteps"),
  eval_iters: its("maxEvalSamples", ", in records or windows"),
  eval_only: absent("gpt2 eval measures a model"),
  always_save_checkpoint: its("saveSteps"),
  init_from: (o, value) => {
    if (value === "scratch") return "leave it out: a new model is what is trained";
    return value === "resume" ? "it is --resume RUN" : `it is ${o("model")} here`;
  },
  wandb_log: tracked,
  wandb_project: tracked,
  wandb_run_name: tracked,
  dataset: files,
  max_iters: its("maxSteps"),
  beta1: its("adamBeta1"),
  beta2: its("adamBeta2"),
  grad_clip: its("maxGradNorm"),
  decay_lr: its("lrSchedulerType", ": constant, or one that falls"),
  warmup_iters: its("warmupSteps"),
  lr_decay_iters: its("maxSteps", ", where a schedule ends"),
  backend: oneDevice,
  dtype: its("precision", ": f32 or f16"),
  compile: compiled,

  // what people type
  lr: its("learningRate"),
  epochs: its("numTrainEpochs"),
  num_epochs: its("numTrainEpochs"),
  n_epochs: its("numTrainEpochs"),
  epoch: its("numTrainEpochs"),
  steps: its("maxSteps"),
  num_steps: its("maxSteps"),
  iters: its("maxSteps"),
  iterations: its("maxSteps"),
  train_batch_size: its("perDeviceTrainBatchSize"),
  micro_batch_size: its("perDeviceTrainBatchSize"),
  bs: its("perDeviceTrainBatchSize"),
  eval_batch_size: its("perDeviceEvalBatchSize"),
  grad_accum: its("gradientAccumulationSteps"),
  grad_accum_steps: its("gradientAccumulationSteps"),
  accumulation_steps: its("gradientAccumulationSteps"),
  scheduler: its("lrSchedulerType"),
  lr_scheduler: its("lrSchedulerType"),
  schedule: its("lrSchedulerType"),
  warmup: its("warmupSteps"),
  num_warmup_steps: its("warmupSteps"),
  wd: its("weightDecay"),
  optimizer: optimiser,
  layers: its("nLayer"),
  heads: its("nHead"),
  width: its("nEmbd"),
  embedding_size: its("nEmbd"),
  context: its("nPositions"),
  seq_len: its("nPositions"),
  patience: its("earlyStoppingPatience"),
  file: its("data"),
  files: its("data"),
  input: its("data"),
  input_file: its("data"),
  train_data: its("data"),
  train_path: its("data"),
  dataset_path: its("data"),
  text: its("data"),
  text_file: its("data"),
  val_data: its("evalData"),
  val_file: its("evalData"),
  validation_data: its("evalData"),
  eval_file: its("evalData"),
  val_split: its("evalSplit"),
  validation_split: its("evalSplit"),
  output: outputDirectory,
  out: outputDirectory,
  save_dir: outputDirectory,
  name: say("a run is called as its directory: --output-dir"),
  base_model: its("model"),
  pretrained: its("model"),
  checkpoint: say("it is --resume RUN, on the command line"),
  num_samples: its("samples"),
  prompt: its("samplePrompts"),
  prompts: its("samplePrompts"),
  max_new_tokens: its("sampleLength"),
  random_seed: its("seed"),
  mixed_precision: (o, value) => (value.startsWith("bf") ? bfloat(o, value) : half(o, value)),
  amp: half,
  half,
  cpu: device,
  gpu: device,
  cuda: device,
  mps: device,
  gpus: oneDevice,
  num_gpus: oneDevice,
  num_workers: reads,
  overwrite: never,
  force: never,
};

/** Options of the command that are no settings of a run. */
const COMMAND_ONLY = ["preset", "config", "resume", "device", "memory", "tune", "dry_run", "json", "quiet"];

/** What to do instead of the setting `name` (in snake case) of another tool; undefined where nobody has such. */
export function settingElsewhere(name: string, value: string | undefined, spell: SpellSetting): string | undefined {
  return Object.hasOwn(ELSEWHERE, name) ? ELSEWHERE[name]!(spell, (value ?? "").toLowerCase()) : undefined;
}

/** The same in a configuration file. */
export function fieldElsewhere(name: string, value: unknown): string | undefined {
  if (COMMAND_ONLY.includes(name)) return `say it on the command line: --${name.replaceAll("_", "-")}`;
  return settingElsewhere(name, typeof value === "object" ? "" : String(value), fileName);
}
