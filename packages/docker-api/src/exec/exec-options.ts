/** Bodies of the exec endpoints. */
import { detachKeysSchema } from "@podfleet/model/detach-keys";
import { type execSpecSchema, terminalSizeSchema } from "@podfleet/model/exec";
import { z } from "zod";

const off = z.boolean().nullish();

/** Height and width; zeros where the client has no terminal. */
const consoleSizeSchema = z
  .tuple([z.number().int().min(0).max(65_535), z.number().int().min(0).max(65_535)])
  .transform(([height, width]) => terminalSizeSchema.safeParse({ height, width }).data)
  .nullish();

/** The body of `POST /containers/{id}/exec`. */
export const execCreateBody = z.object({
  Cmd: z.array(z.string(), { error: "must be a list of strings: no exec command specified" }),
  Tty: off,
  AttachStdin: off,
  AttachStdout: off,
  AttachStderr: off,
  DetachKeys: detachKeysSchema.nullish(),
  Env: z.array(z.string().min(1)).nullish(),
  User: z.string().nullish(),
  WorkingDir: z.string().nullish(),
  Privileged: off,
  ConsoleSize: consoleSizeSchema,
});

/** The body of `POST /exec/{id}/start`. */
export const execStartBody = z.object({ Detach: off, Tty: off, ConsoleSize: consoleSizeSchema });

/** Drops variables without a value, as dockerd does. */
export function execSpecOf(body: z.output<typeof execCreateBody>): z.input<typeof execSpecSchema> {
  const { AttachStdout, AttachStderr, DetachKeys, ConsoleSize, User, WorkingDir } = body;
  const env = (body.Env ?? []).flatMap((entry) => {
    const at = entry.indexOf("=");
    return at > 0 ? [[entry.slice(0, at), entry.slice(at + 1)]] : [];
  });
  return {
    command: body.Cmd,
    tty: body.Tty ?? false,
    stdin: body.AttachStdin ?? false,
    attach: [
      ...(AttachStdout ? ["stdout" as const] : []),
      ...(AttachStderr ? ["stderr" as const] : []),
    ],
    privileged: body.Privileged ?? false,
    env: Object.fromEntries(env),
    ...(User ? { user: User } : {}),
    ...(WorkingDir ? { workdir: WorkingDir } : {}),
    ...(DetachKeys ? { detachKeys: DetachKeys } : {}),
    ...(ConsoleSize && body.Tty ? { terminalSize: ConsoleSize } : {}),
  };
}
