// An op of one's own, y = max(x, 0)^2 (So et al. 2021), in WGSL: `gpt2 gradcheck ./examples/relu-squared.js` checks it.
import { defineOp, f32, grid1d, read, sizeOf, write } from "webgpu-gpt2";

const wgsl = {
  name: "relu_squared",
  code: `
    struct Uniforms { N: u32 }
    @group(0) @binding(15) var<uniform> u: Uniforms;
    @group(0) @binding(0) var<storage, read> x: array<f32>;
    @group(0) @binding(1) var<storage, read> dy: array<f32>; // bound to x in forward
    @group(0) @binding(2) var<storage, read_write> y: array<f32>;
    override BACKWARD: bool;

    @compute @workgroup_size(64)
    fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
            @builtin(local_invocation_index) local: u32) {
      let i = linear_group(group, groups) * 64u + local; // of lib/grid
      if (i >= u.N) { return; }
      let kept = max(x[i], 0.0);
      y[i] = select(kept * kept, 2.0 * kept * dy[i], BACKWARD);
    }`,
};

const dispatch = (x, backward, dy, y, traits) => ({
  shader: ["lib/grid", wgsl],
  entry: "main",
  uniforms: { N: sizeOf(x.shape) },
  constants: { BACKWARD: backward },
  bind: [read("x"), read(dy), write(y)],
  grid: grid1d(sizeOf(x.shape), 64, traits),
});
const cost = ({ x }) => ({ flops: 2 * sizeOf(x.shape), bytes: 8 * sizeOf(x.shape) });

export const reluSquared = defineOp({
  name: "reluSquared",
  inputs: ["x"],
  outputs: ["y"],
  shapes: ({ x }) => ({ y: f32(x.shape) }),
  cpu: ({ x }, { y }) => {
    for (let i = 0; i < x.data.length; i++) y.data[i] = Math.max(x.data[i], 0) ** 2;
  },
  gpu: ({ x }, _outputs, _attrs, traits) => [dispatch(x, 0, "x", "y", traits)],
  vjp: ({ x }, _outputs, { y: dy }) => (dy ? { x: reluSquaredBackward.apply({ x, dy }).dx } : {}),
  cost,
  cases: [{ inputs: { x: f32([3, 5]) } }, { inputs: { x: f32([2, 130]) } }],
});

export const reluSquaredBackward = defineOp({
  name: "reluSquaredBackward",
  inputs: ["x", "dy"],
  outputs: ["dx"],
  shapes: ({ x }) => ({ dx: f32(x.shape) }),
  cpu: ({ x, dy }, { dx }) => {
    for (let i = 0; i < x.data.length; i++) dx.data[i] = 2 * Math.max(x.data[i], 0) * dy.data[i];
  },
  gpu: ({ x }, _outputs, _attrs, traits) => [dispatch(x, 1, "dy", "dx", traits)],
  cost,
  cases: [{ inputs: { x: f32([3, 5]), dy: f32([3, 5]) } }],
});
