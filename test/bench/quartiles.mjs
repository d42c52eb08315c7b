/** The three quartiles of some numbers, between neighbours in proportion. */
export function quartilesOf(numbers) {
  const sorted = numbers.toSorted((left, right) => left - right);
  return [0.25, 0.5, 0.75].map((part) => {
    const place = (sorted.length - 1) * part;
    const below = Math.floor(place);
    const low = sorted[below];
    const high = sorted[Math.min(below + 1, sorted.length - 1)];
    return low + (high - low) * (place - below);
  });
}
