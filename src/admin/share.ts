/** One piece of work at a time, however many ask for its result. */

/**
 * Returns a function that gives the result of `build`. Calls that come while one is waited for get
 * the same result. It begins on the next turn of the event loop, so that all requests that have
 * come by then are answered by one build, and a flood of them costs one build per turn.
 */
export function shared<T>(build: () => T | Promise<T>): () => Promise<T> {
  let current: Promise<T> | null = null;
  return () => {
    current ??= nextTurn()
      .then(build)
      .finally(() => {
        current = null;
      });
    return current;
  };
}

function nextTurn(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, 0));
}
