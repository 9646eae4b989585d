/* Names beside their marks, where nothing else stands. */

const ruler = document.createElement("canvas").getContext("2d");

/* Pixels that words take. */
function measured(words, size, bold = false) {
  ruler.font = `${bold ? 700 : 400} ${size}px ${getComputedStyle(document.body).fontFamily}`;
  return ruler.measureText(words).width;
}

const overlap = (one, other) => Math.max(0, Math.min(one[2], other[2]) - Math.max(one[0], other[0])) * Math.max(0, Math.min(one[3], other[3]) - Math.max(one[1], other[1]));

/* Where words may stand around a mark: beside, above and below it, then farther off. */
function spotsOf(length, far, gap = 0) {
  const near = [[10 + gap, 4], [-10 - gap - length, 4], [-length / 2, -11 - gap], [-length / 2, 20 + gap], [8, -9], [-8 - length, -9], [8, 17], [-8 - length, 17], [-12, 19], [-12, -11], [12 - length, 19], [12 - length, -11]];
  const rows = far ? [-25, 34, -40, 49, -56, 65] : [];
  return [...near, ...rows.flatMap((dy) => [[-length / 2, dy], [10, dy], [-10 - length, dy], [-length * 0.25, dy], [-length * 0.75, dy]])];
}

/* Texts for names in the order of their rank: {at: places of its mark, words, cls, bold, far: may stand off, first: may
   cover marks}; blocks: boxes of the marks. A name without room is left out: its mark says it when it is pointed at. */
function placed(wanted, { left, right, top, bottom }, blocks, size) {
  const taken = [];
  return wanted.flatMap(({ at, words, cls, bold, far, first }) => {
    const length = measured(words, size, bold);
    const free = at.flatMap(([a, b]) => spotsOf(length, far, bold ? 5 : 0).map(([dx, dy]) => ({ a, b, dx, dy, box: [a + dx - 2, b + dy - size, a + dx + length + 2, b + dy + 4] })))
      .filter(({ box }) => box[0] >= left + 2 && box[2] <= right + 2 && box[1] >= top && box[3] <= bottom - 2 && !taken.some((other) => overlap(box, other)));
    const clear = free.find(({ box, a, b }) => !blocks.some((other) => (other[0] + other[2] !== 2 * a || other[1] + other[3] !== 2 * b) && overlap(box, other)));
    const found = clear ?? (first ? free[0] : undefined);
    if (!found) return [];
    const { a, b, dx, dy, box } = found;
    taken.push(box);
    const off = dy > 24 || dy < -20;
    const foot = off ? [line(a, b + (dy > 0 ? 8 : -8), Math.max(box[0] + 4, Math.min(a, box[2] - 4)), dy > 0 ? box[1] + 2 : box[3] - 1, "leader")] : [];
    return [...foot, text(a + dx, b + dy, words, { class: cls, "font-size": size })];
  });
}
