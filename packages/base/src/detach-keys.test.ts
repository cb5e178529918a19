import { describe, expect, test } from "vitest";

import type { Clock } from "./clock.ts";
import { detached, scanDetachKeys } from "./detach-keys.ts";

const ctrlP = "\u0010";
const ctrlQ = "\u0011";

/** What comes out of `chunks` that are typed without a pause: each piece, and "<detached>". */
async function typed(keys: string, chunks: readonly string[]): Promise<string[]> {
  return await collect(scanDetachKeys(each(chunks), { keys }));
}

async function* each(chunks: readonly string[]): AsyncGenerator<Uint8Array> {
  for (const chunk of chunks) yield Buffer.from(chunk, "latin1");
}

async function collect(scan: AsyncIterable<Uint8Array | typeof detached>): Promise<string[]> {
  const pieces: string[] = [];
  for await (const piece of scan) pieces.push(text(piece));
  return pieces;
}

function text(piece: Uint8Array | typeof detached): string {
  return piece === detached ? "<detached>" : Buffer.from(piece).toString("latin1");
}

test("A7: the keys end it, and neither they nor what follows is passed on", async () => {
  expect(await typed("ctrl-p,ctrl-q", ["ls\r", ctrlP, ctrlQ, "more"])).toEqual([
    "ls\r",
    "<detached>",
  ]);
  expect(await typed("ctrl-p,ctrl-q", [`a${ctrlP}${ctrlQ}b`])).toEqual(["a", "<detached>"]);
});

test("A8: a beginning of the keys that goes on otherwise is passed on", async () => {
  expect(await typed("ctrl-p,ctrl-q", [ctrlP, "x"])).toEqual([`${ctrlP}x`]);
  expect(await typed("ctrl-p,ctrl-q", [ctrlP, ctrlP, ctrlQ])).toEqual([ctrlP, "<detached>"]);
  expect(await typed("ctrl-p,ctrl-q", [ctrlP])).toEqual([ctrlP]);
});

describe("A9: keys of the user's", () => {
  test.each([
    ["a,b", ["xab"], ["x", "<detached>"]],
    ["a", ["a"], ["<detached>"]],
    ["ctrl-@", ["\0"], ["<detached>"]],
    ["ctrl-[,ctrl-\\,ctrl-],ctrl-^,ctrl-_", ["\u001b\u001c\u001d\u001e\u001f"], ["<detached>"]],
    ["a,a,b", ["aaab"], ["a", "<detached>"]],
    ["a,b,a,c", ["ababac"], ["ab", "<detached>"]],
    ["A", ["aA"], ["a", "<detached>"]],
    ["", ["\u0010\u0011"], ["\u0010\u0011"]],
  ])("%s", async (keys, chunks, pieces) => {
    expect(await typed(keys, chunks)).toEqual(pieces);
  });
});

test("however the bytes are cut, all but the keys comes out, in order", async () => {
  for (const keys of ["a,b", "a,a", "a,b,a,b,b", "a,a,b,a,a,a"]) {
    const sequence = keys.replaceAll(",", "");
    for (let bits = 0; bits < 1024; bits += 1) {
      const all = bits.toString(2).padStart(10, "0").replaceAll("0", "a").replaceAll("1", "b");
      const at = all.indexOf(sequence);
      const expected = at < 0 ? all : `${all.slice(0, at)}<detached>`;
      const cut = bits % 9;
      const pieces = await typed(keys, [all.slice(0, cut), all.slice(cut)]);
      expect(pieces.join("")).toBe(expected);
    }
  }
});

describe("a beginning of the keys that nothing follows", () => {
  test("A7: is held for a while, in which the rest ends it", async () => {
    const keyboard = new Keyboard();
    keyboard.type(ctrlP);
    const piece = keyboard.piece();
    await keyboard.nextHold();
    keyboard.type(ctrlQ);
    expect(await piece).toBe("<detached>");
  });

  test("A8: is passed on when its time is over", async () => {
    const keyboard = new Keyboard();
    keyboard.type(ctrlP);
    const piece = keyboard.piece();
    const hold = await keyboard.nextHold();
    hold.resolve();
    expect(await piece).toBe(ctrlP);
    keyboard.type(`${ctrlQ}ok`);
    expect(await keyboard.piece()).toBe(`${ctrlQ}ok`);
    keyboard.type(ctrlP);
    keyboard.type(ctrlQ);
    expect(await keyboard.piece()).toBe("<detached>");
  });
});

/** Someone who types, and the times for which a beginning of the keys is held, which the test ends. */
class Keyboard {
  readonly #keys = new TransformStream<Uint8Array, Uint8Array>();
  readonly #writer = this.#keys.writable.getWriter();
  readonly #holds = new TransformStream<PromiseWithResolvers<void>, PromiseWithResolvers<void>>();
  readonly #holdWriter = this.#holds.writable.getWriter();
  readonly #scan: AsyncGenerator<Uint8Array | typeof detached, void>;

  constructor() {
    const clock: Clock = {
      nowMs: () => 0,
      sleep: async () => {
        const hold = Promise.withResolvers<void>();
        void this.#holdWriter.write(hold);
        await hold.promise;
      },
    };
    this.#scan = scanDetachKeys(this.#keys.readable, { keys: "ctrl-p,ctrl-q", clock });
  }

  type(chunk: string): void {
    void this.#writer.write(Buffer.from(chunk));
  }

  /** What is passed on next. */
  async piece(): Promise<string> {
    const { value } = await this.#scan.next();
    return text(value ?? Buffer.from("end"));
  }

  /** Resolves when a beginning of the keys is held. */
  async nextHold(): Promise<PromiseWithResolvers<void>> {
    const reader = this.#holds.readable.getReader();
    const { value } = await reader.read();
    reader.releaseLock();
    if (!value) throw new Error("Nothing is held");
    return value;
  }
}
