// Sums of any length, of Packs (lib/pack4.wgsl or lib/pack1.wgsl goes before this file). RUN terms are added one after another,
// RUN such runs make one of the next level, RUN of those one of the last: no more than 3 RUN additions in a row touch a term of
// the first RUN^4, so that the error grows with the logarithm of the length and not with the length.
const RUN = 32u;

struct Sum {
  runs: u32,
  low: Pack,
  middle: Pack,
  high: Pack,
}

// `run`: the sum of the next RUN terms, or of fewer at the end.
fn add_run(sum: ptr<function, Sum>, run: Pack) {
  (*sum).runs += 1u;
  (*sum).low += run;
  if ((*sum).runs % RUN == 0u) {
    (*sum).middle += (*sum).low;
    (*sum).low = Pack();
    if ((*sum).runs % (RUN * RUN) == 0u) {
      (*sum).high += (*sum).middle;
      (*sum).middle = Pack();
    }
  }
}

fn sum_of(sum: Sum) -> Pack {
  return sum.high + (sum.middle + sum.low);
}

