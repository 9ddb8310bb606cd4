// Which tile of y a workgroup makes: down the rows first, so that a panel of b's columns stays in the cache.
// With the overhang of a folded grid, tiles past the last column come out: guard.

// the grid is not [rows, columns] but a row of all tiles, folded
override FOLDED: bool;

struct Tile {
  row: u32,
  column: u32,
}

fn tile_of(group: vec3u, groups: vec3u) -> Tile {
  if (FOLDED) {
    let n = linear_group(group, groups);
    return Tile(n % u.ROW_TILES, n / u.ROW_TILES);
  }
  return Tile(group.x, group.y);
}

