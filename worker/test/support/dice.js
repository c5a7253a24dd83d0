// Chance from a seed, so that a run can be had again.

/** Numbers from 0 up to 1, by xorshift32. */
export function dice(seed) {
  let state = seed | 0 || 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}
