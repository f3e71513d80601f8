// An order is a list of tiers, best first; a tier is a list of labels. Every function returns a new order.

const without = (tiers, label) => tiers.map((tier) => tier.filter((other) => other !== label)).filter((tier) => tier.length > 0);

const tierOf = (tiers, label) => tiers.findIndex((tier) => tier.includes(label));

export const has = (tiers, label) => tierOf(tiers, label) >= 0;

export const size = (tiers) => tiers.reduce((count, tier) => count + tier.length, 0);

export const remove = without;

// Puts an unplaced label last, or into the last tier.
export function pick(tiers, label, tied = false) {
  if (has(tiers, label)) return tiers;
  if (!tied || tiers.length === 0) return [...tiers, [label]];
  return [...tiers.slice(0, -1), [...tiers.at(-1), label]];
}

// All labels not placed yet, together as the last tier.
export function tieRest(tiers, labels) {
  const rest = labels.filter((label) => !has(tiers, label));
  return rest.length === 0 ? tiers : [...tiers, rest];
}

// Into the tier at `into`, or as a tier of its own before the one at `before`; both count the tiers as they are.
export function move(tiers, label, { into, before }) {
  if (into !== undefined) {
    if (tiers[into].includes(label)) return tiers;
    const joined = tiers.map((tier, index) => [...tier.filter((other) => other !== label), ...(index === into ? [label] : [])]);
    return joined.filter((tier) => tier.length > 0);
  }
  return [...without(tiers.slice(0, before), label), [label], ...without(tiers.slice(before), label)];
}

// Joins the tier above; an unplaced label joins the last tier.
export function tie(tiers, label) {
  const at = tierOf(tiers, label);
  if (at < 0) return pick(tiers, label, true);
  return at === 0 ? tiers : move(tiers, label, { into: at - 1 });
}

// Leaves a tie upwards, or steps over the tier above.
export function up(tiers, label) {
  const at = tierOf(tiers, label);
  if (at < 0 || (at === 0 && tiers[0].length === 1)) return tiers;
  return move(tiers, label, { before: tiers[at].length === 1 ? at - 1 : at });
}

// Leaves a tie downwards, or steps over the tier below.
export function down(tiers, label) {
  const at = tierOf(tiers, label);
  if (at < 0 || (at === tiers.length - 1 && tiers[at].length === 1)) return tiers;
  return move(tiers, label, { before: tiers[at].length === 1 ? at + 2 : at + 1 });
}

// Takes the label placed last away.
export function takeBack(tiers) {
  return tiers.length === 0 ? tiers : without(tiers, tiers.at(-1).at(-1));
}

// The place of a label as people count: after two in first place comes the third.
export function placeOf(tiers, label) {
  const at = tierOf(tiers, label);
  return at < 0 ? null : size(tiers.slice(0, at)) + 1;
}
