/**
 * How an endpoint's answers fare, as one word of shared memory. Pure: each function takes the word as
 * it was seen and returns the next.
 *
 * Answers are counted only while there were failures lately. Without any the word is 0, and a good
 * answer costs one look at it. The first failure opens a window of WINDOW_MS and is not counted in it:
 * it chose the moment, and counting it would make a service of which 1 in 20 fails look like one of
 * which half do. It does count as one in a row.
 *
 *   bits 0..7 failures in a row | 8..19 failures in the window | 20..31 answers in the window
 */

/** Linkerd's: with less, a service that fails one time in ten loses endpoints all day long. */
export const CONSECUTIVE_MAX = 7;
/** Linkerd's success rate; Envoy has 85 %. In per cent. */
const SUCCESS_MIN_PERCENT = 80;
/**
 * … over so many answers at least. Linkerd has 5, and looks after each answer: then an endpoint of which
 * 1 in 20 fails is ejected in 8 of 100 windows of 100 answers, with 10 in 4, with 20 in 0.6. Where there
 * are fewer answers, failures in a row tell.
 */
export const ANSWERS_MIN = 20;
/** … within so long. */
export const WINDOW_MS = 10_000;

/** … and so many standard deviations more than there would be of one that fares as the others do. */
const WORSE_SIGMAS = 4;

/** So many in a row, and there is something wrong here too. */
const AILING_CONSECUTIVE = 3;
const AILING_ANSWERS_MIN = 5;

const STREAK_MASK = 0xff;
const FAILURES_SHIFT = 8;
const ANSWERS_SHIFT = 20;
const COUNT_MAX = 0xfff;

/** Failures in a row, 255 at most. */
export function streakOf(word: number): number {
  return word & STREAK_MASK;
}

export function failuresOf(word: number): number {
  return (word >>> FAILURES_SHIFT) & COUNT_MAX;
}

export function answersOf(word: number): number {
  return word >>> ANSWERS_SHIFT;
}

/** The word after a failure. `isOver`: the window that it belongs to is; a new one is opened. */
export function afterFailure(word: number, isOver: boolean): number {
  const streak = Math.min(streakOf(word) + 1, STREAK_MASK);
  if (word === 0 || isOver) return streak;
  return counted(streak, failuresOf(word) + 1, answersOf(word) + 1);
}

/** The word after a good answer. */
export function afterSuccess(word: number, isOver: boolean): number {
  if (word === 0 || isOver) return 0;
  return counted(0, failuresOf(word), answersOf(word) + 1);
}

/** The endpoint should be ejected, if there are better ones. */
export function isBad(word: number): boolean {
  return streakOf(word) >= CONSECUTIVE_MAX || isBelowRate(word, ANSWERS_MIN);
}

/** Something is wrong with the endpoint too: it is no better than one that is bad. */
export function isAiling(word: number): boolean {
  return streakOf(word) >= AILING_CONSECUTIVE || isBelowRate(word, AILING_ANSWERS_MIN);
}

/**
 * Whether one that is bad fails so much more often than the others in use, of whose `answers` so many were
 * `failures`, that it is about the endpoint. Where a third of what is asked fails everywhere, chance alone has
 * one endpoint with 35 % and another with less than 20 %.
 */
export function isWorse(word: number, failures: number, answers: number): boolean {
  if (streakOf(word) >= CONSECUTIVE_MAX || answers < AILING_ANSWERS_MIN) return true;
  const rate = failures / answers;
  const expected = rate * answersOf(word);
  const more = failuresOf(word) - expected;
  return more > 0 && more * more >= WORSE_SIGMAS * WORSE_SIGMAS * expected * (1 - rate);
}

function isBelowRate(word: number, answersMin: number): boolean {
  const answers = answersOf(word);
  if (answers < answersMin) return false;
  return (answers - failuresOf(word)) * 100 < answers * SUCCESS_MIN_PERCENT;
}

/** A count that is full is halved with the other: the rate stays. */
function counted(streak: number, failures: number, answers: number): number {
  const shift = answers > COUNT_MAX ? 1 : 0;
  const packed = ((answers >> shift) << ANSWERS_SHIFT) | ((failures >> shift) << FAILURES_SHIFT);
  return (packed | streak) >>> 0;
}
