import { expect, test } from "vitest";

import { printList } from "./table.ts";
import type { ListOptions } from "./table.ts";

interface Row {
  readonly name: string;
  readonly host: string;
}

const rows: readonly Row[] = [
  { name: "web", host: "host-1" },
  { name: "a-longer-name", host: "host-2\n\u001b[31mred" },
];

async function printed(options: ListOptions, list: readonly Row[] = rows): Promise<string> {
  let text = "";
  const write = async (data: string | Uint8Array): Promise<void> => {
    text += String(data);
  };
  const print = async (line: string): Promise<void> => await write(`${line}\n`);
  const output = { isTerminal: false, columns: undefined, write, print };
  await printList(output, list, {
    columns: {
      name: { heading: "NAME", value: ({ name }) => name },
      host: { heading: "HOST", value: ({ host }) => host },
    },
    shown: ["name", "host"],
    json: ({ name }) => ({ Name: name }),
    options,
  });
  return text;
}

test("columns are aligned, and a value cannot leave its line", async () => {
  expect(await printed({})).toBe(
    ["NAME           HOST", "web            host-1", "a-longer-name  host-2  [31mred", ""].join(
      "\n",
    ),
  );
});

test("an empty list has its headings, unless they are left out", async () => {
  expect(await printed({}, [])).toBe("NAME  HOST\n");
  expect(await printed({ noheading: true }, [])).toBe("");
});

test("--format names the columns and their order", async () => {
  expect(await printed({ format: "host, name" }, rows.slice(0, 1))).toBe(
    "HOST    NAME\nhost-1  web\n",
  );
  expect(await printed({ format: "name", noheading: true })).toBe("web\na-longer-name\n");
});

test("--format json prints what the list says a row is", async () => {
  expect(JSON.parse(await printed({ format: "json" }))).toEqual([
    { Name: "web" },
    { Name: "a-longer-name" },
  ]);
});

test.each(["{{.Names}}", "name,size", "toString"])(
  "--format %s lists the columns",
  async (format) => {
    await expect(printed({ format })).rejects.toThrow('must be "json" or a list of name, host');
  },
);
