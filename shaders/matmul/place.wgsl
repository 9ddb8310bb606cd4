// Which tile of y the n-th workgroup makes: down the rows first, so that a panel of b's columns stays in the cache.
// With the overhang of a folded grid, tiles past the last column come out: guard.
override ROW_TILES: u32;

struct Tile {
  row: u32,
  column: u32,
}

fn tile_of(n: u32) -> Tile {
  return Tile(n % ROW_TILES, n / ROW_TILES);
}

