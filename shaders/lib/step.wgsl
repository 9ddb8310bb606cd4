// Places in the per-step scalars, u32 [8]; src/kernels/step.ts packs them. Floats are bit patterns.
const STEP_SEED_LOW = 0u;
const STEP_SEED_HIGH = 1u;
const STEP_NUMBER = 2u;
const STEP_LEARNING_RATE = 3u;
const STEP_LOSS_SCALE = 4u;
const STEP_CORRECTION_1 = 5u;
const STEP_CORRECTION_2 = 6u;
const STEP_MICRO_BATCH = 7u;

