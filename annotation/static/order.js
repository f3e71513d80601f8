// An order is a list of tiers, best first; a tier is a list of labels. Every function returns a new order.

const without = (tiers, label) => tiers.map((tier) => tier.filter((other) => other !== label)).filter((tier) => tier.length > 0);

const tierOf = (tiers, label) => tiers.findIndex((tier) => tier.includes(label));

const insert = (tiers, at, tier) => [...tiers.slice(0, at), tier, ...tiers.slice(at)];

export const has = (tiers, label) => tierOf(tiers, label) >= 0;

export const size = (tiers) => tiers.reduce((count, tier) => count + tier.length, 0);

export const remove = without;

// Puts an unplaced label last, or into the last tier.
export function pick(tiers, label, tied = false) {
  if (has(tiers, label)) return tiers;
  if (!tied || tiers.length === 0) return [...tiers, [label]];
  return [...tiers.slice(0, -1), [...tiers.at(-1), label]];
}

// Joins the tier above; an unplaced label joins the last tier.
export function tie(tiers, label) {
  const at = tierOf(tiers, label);
  if (at < 0) return pick(tiers, label, true);
  if (at === 0) return tiers;
  const joined = tiers.map((tier, index) => (index === at - 1 ? [...tier, label] : tier.filter((other) => other !== label)));
  return joined.filter((tier) => tier.length > 0);
}

// Leaves a tie upwards, or steps over the tier above.
export function up(tiers, label) {
  const at = tierOf(tiers, label);
  if (at < 0) return tiers;
  const alone = tiers[at].length === 1;
  if (alone && at === 0) return tiers;
  return insert(without(tiers, label), alone ? at - 1 : at, [label]);
}

// Leaves a tie downwards, or steps over the tier below.
export function down(tiers, label) {
  const at = tierOf(tiers, label);
  if (at < 0) return tiers;
  const alone = tiers[at].length === 1;
  if (alone && at === tiers.length - 1) return tiers;
  return insert(without(tiers, label), at + 1, [label]);
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
