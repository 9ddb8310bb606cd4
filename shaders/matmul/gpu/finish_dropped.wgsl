// y = residual + dropout of product and what is added to it: the mask is that of dropout.wgsl. drops_vec4.wgsl or drops_scalar.wgsl, put
// before this file, draws. residual lies as y does.
@group(0) @binding(RESIDUAL) var<storage, read> residual: array<R>;

fn finish(product: Cell, at: u32, column: u32) -> Cell {
  let kept = added(product, at, column) / (1.0 - u.DROP_RATE);
  return Cell(residual[at]) + select(kept, Cell(), drops(at));
}
