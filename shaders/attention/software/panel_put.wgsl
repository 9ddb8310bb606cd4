// y_i of 4 neighbouring rows, of the item's Pack of columns; or, added, y_i plus that.
// A loop whose end is data, so that no driver writes it out: stores take lavapipe longer to compile than anything else.
fn put(item: Item, first: u32, rows: Four, added: bool) {
  var value = rows[0];
  var second = rows[1];
  var third = rows[2];
  let last = rows[3];
  for (var i = first; i < min(first + 4u, u.T); i++) {
    let at = y_at(item, vec4u(i)).x;
    if (added) { value += Pack(y[at]); }
    y[at] = stored(value);
    value = second;
    second = third;
    third = last;
  }
}

