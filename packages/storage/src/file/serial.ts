/** Runs asynchronous bodies one after another, in the order of the calls. */
export class Serial {
  #last: Promise<unknown> = Promise.resolve();

  async run<T>(body: () => Promise<T>): Promise<T> {
    const result = this.#last.then(body);
    // Safe to ignore: the caller of this run gets the rejection; the next run only waits for its end.
    this.#last = result.catch(() => undefined);
    return await result;
  }
}
